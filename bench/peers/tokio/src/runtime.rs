//! Starting tokio, the same way for both programs.
use std::future::Future;
use tokio::runtime::Builder;

/// Runs `main` on TOKIO_WORKERS threads, 1 when that is not set: each time the way that is tokio's
/// fastest. On one thread that is the current_thread scheduler; with more, the main task has to be
/// spawned to run on one of the workers, for what it then spawns to stay near it.
pub fn run(main: impl Future<Output = ()> + Send + 'static) {
    let workers = std::env::var("TOKIO_WORKERS").map_or(1, |s| s.parse().expect("TOKIO_WORKERS"));
    if workers == 1 {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(main);
    } else {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(workers).enable_all().build().unwrap();
        runtime.block_on(async { tokio::spawn(main).await.unwrap() });
    }
}
