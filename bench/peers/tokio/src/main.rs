//! The workloads of bench/README.md on tokio, whose tasks have no stack. TOKIO_WORKERS sets the
//! number of worker threads.
//!
//!     tokio_workloads s1 | s2 | s3 | s3b | s4 | s5 | s6 [tasks] | s7 [tasks] | s8 | s9
mod channels;
mod measure;
mod runtime;

use measure::{cpu_time, ns_each, report_lateness, result, rss_bytes};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, Notify, Semaphore};

/// S1: what does a yield cost? Two tasks take turns, 5M yields each.
async fn yielding() {
    const TASKS: u64 = 2;
    const YIELDS: u64 = 5_000_000;
    let start = Instant::now();
    let task = || async {
        for _ in 0..YIELDS {
            tokio::task::yield_now().await
        }
    };
    let all: Vec<_> = (0..TASKS).map(|_| tokio::spawn(task())).collect();
    for task in all {
        task.await.unwrap()
    }
    result("yield", ns_each(start, TASKS * YIELDS), "ns/switch");
}

/// S2: what does starting a task and waiting for its end cost? The body is empty.
async fn spawning() {
    const BATCH: u64 = 10_000;
    const ROUNDS: u64 = 100;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        let all: Vec<_> = (0..BATCH).map(|_| tokio::spawn(async {})).collect();
        for task in all {
            task.await.unwrap()
        }
    }
    result("spawn", ns_each(start, BATCH * ROUNDS), "ns/spawn");
}

/// S4: what does waking another task and going to sleep cost? A token runs round a ring of tasks
/// joined by channels of capacity one, the smallest there is.
async fn ring() {
    const NODES: usize = 503;
    const HOPS: u64 = 2_000_000;
    let (done, mut finished) = mpsc::channel(1);
    let start = Instant::now();
    let (first, mut receiver) = mpsc::channel(1);
    for i in 1..=NODES {
        let (sender, next) = match i {
            NODES => (first.clone(), None),
            _ => {
                let (sender, next) = mpsc::channel(1);
                (sender, Some(next))
            }
        };
        let done = done.clone();
        tokio::spawn(async move {
            while let Some(token) = receiver.recv().await {
                if token == 0 {
                    done.send(()).await.ok();
                    return;
                }
                sender.send(token - 1).await.ok();
            }
        });
        match next {
            Some(next) => receiver = next,
            None => break,
        }
    }
    first.send(HOPS).await.unwrap();
    finished.recv().await;
    result("ring", ns_each(start, HOPS), "ns/hop");
}

/// S6: what does a parked task hold on to?
async fn parked(tasks: usize) {
    let gate = Arc::new(Notify::new());
    let ready = Arc::new(Semaphore::new(0));
    let before = rss_bytes();
    let start = Instant::now();
    for _ in 0..tasks {
        let (gate, ready) = (gate.clone(), ready.clone());
        tokio::spawn(async move {
            ready.add_permits(1);
            gate.notified().await
        });
    }
    let _all = ready.acquire_many(tasks as u32).await.unwrap();
    let spawn_park = ns_each(start, tasks as u64);
    tokio::time::sleep(Duration::from_millis(20)).await;
    result("rss_per_coroutine", (rss_bytes() - before) / tasks as f64, "B");
    result("spawn_park", spawn_park, "ns");
    gate.notify_waiters();
}

/// S7: how late do sleepers wake, and what does a sleep cost? Each task sleeps ten times for a
/// pseudo-random 1 to 100 ms.
async fn sleepers(tasks: usize) {
    const ROUNDS: usize = 10;
    let (cpu, start) = (cpu_time(), Instant::now());
    let sleeper = |i: usize| async move {
        let mut x = (i as u32).wrapping_mul(2654435761).wrapping_add(12345);
        let mut late = [0i64; ROUNDS];
        for late in late.iter_mut() {
            x = x.wrapping_mul(1664525).wrapping_add(1013904223);
            let d = Duration::from_micros((1000 + (x >> 8) % 99000) as u64);
            let asleep = Instant::now();
            tokio::time::sleep(d).await;
            *late = asleep.elapsed().as_nanos() as i64 - d.as_nanos() as i64;
        }
        late
    };
    let all: Vec<_> = (0..tasks).map(|i| tokio::spawn(sleeper(i))).collect();
    let mut late = Vec::with_capacity(tasks * ROUNDS);
    for task in all {
        late.extend_from_slice(&task.await.unwrap())
    }
    let (elapsed, cpu) = (start.elapsed(), cpu_time() - cpu);
    let sleeps = (tasks * ROUNDS) as f64;
    result("sleeps_per_s", sleeps / elapsed.as_secs_f64() / 1e6, "M/s");
    result("cpu_per_sleep", cpu.as_nanos() as f64 / sleeps, "ns");
    report_lateness(&mut late);
}

async fn workload(name: String, tasks: Option<usize>) {
    match name.as_str() {
        "s1" => yielding().await,
        "s2" => spawning().await,
        "s3" => channels::ping_pong().await,
        "s3b" => channels::buffered().await,
        "s4" => ring().await,
        "s5" => channels::grow_skynet().await,
        "s6" => parked(tasks.unwrap_or(1_000_000)).await,
        "s7" => sleepers(tasks.unwrap_or(10_000)).await,
        "s8" => channels::locking().await,
        "s9" => channels::selecting().await,
        _ => {
            eprintln!(
                "usage: tokio_workloads s1 | s2 | s3 | s3b | s4 | s5 | s6 [tasks] | s7 [tasks] | \
                 s8 | s9"
            );
            std::process::exit(2)
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let tasks = arguments.next().map(|s| s.parse().expect("a number of tasks"));
    runtime::run(workload(name, tasks));
}
