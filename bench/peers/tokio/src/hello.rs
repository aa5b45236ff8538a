//! Workload C1 on tokio: the smallest program that starts one task and waits for it.
mod runtime;

fn main() {
    runtime::run(async {
        tokio::spawn(async {}).await.unwrap();
    });
}
