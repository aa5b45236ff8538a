//! The workloads that are about channels and locks; bench/api/channels.cpp does the same work. tokio has
//! no channel without a buffer: where the others hand over, it has a capacity of one.
use crate::measure::{ns_each, peak_rss_bytes, result};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, Mutex};

/// S3: what does it cost to give a value to another task and to get one back? 2M round trips.
pub async fn ping_pong() {
    const TRIPS: u64 = 2_000_000;
    let (ping, mut pinged) = mpsc::channel(1);
    let (pong, mut ponged) = mpsc::channel(1);
    let start = Instant::now();
    tokio::spawn(async move {
        while let Some(v) = pinged.recv().await {
            pong.send(v).await.unwrap()
        }
    });
    for i in 0..TRIPS {
        ping.send(i).await.unwrap();
        ponged.recv().await.unwrap();
    }
    result("pingpong", ns_each(start, TRIPS), "ns/roundtrip");
}

/// S3b: what does it cost to move a value through a buffer of 128? One producer, one consumer.
pub async fn buffered() {
    const ITEMS: u64 = 10_000_000;
    let (sender, mut receiver) = mpsc::channel(128);
    let start = Instant::now();
    tokio::spawn(async move {
        for i in 0..ITEMS {
            sender.send(i).await.unwrap()
        }
    });
    let mut sum = 0;
    while let Some(v) = receiver.recv().await {
        sum += v
    }
    let elapsed = ns_each(start, ITEMS);
    assert_eq!(sum, ITEMS * (ITEMS - 1) / 2);
    result("buffered128", elapsed, "ns/item");
}

/// S5: what does a burst of short-lived tasks cost that report to their parents? Ten children each, 1M
/// leaves; each leaf sends its number, each parent the sum of what it got. The channels have a place
/// for every child.
fn skynet(
    out: mpsc::Sender<u64>,
    number: u64,
    leaves: u64,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    const CHILDREN: u64 = 10;
    Box::pin(async move {
        if leaves == 1 {
            out.send(number).await.unwrap();
            return;
        }
        let (sender, mut sums) = mpsc::channel(CHILDREN as usize);
        for i in 0..CHILDREN {
            let first = number + i * (leaves / CHILDREN);
            tokio::spawn(skynet(sender.clone(), first, leaves / CHILDREN));
        }
        let mut sum = 0;
        for _ in 0..CHILDREN {
            sum += sums.recv().await.unwrap()
        }
        out.send(sum).await.unwrap();
    })
}

pub async fn grow_skynet() {
    const LEAVES: u64 = 1_000_000;
    let (sender, mut receiver) = mpsc::channel(1);
    let start = Instant::now();
    tokio::spawn(skynet(sender, 0, LEAVES));
    let sum = receiver.recv().await.unwrap();
    let elapsed = start.elapsed();
    assert_eq!(sum, LEAVES * (LEAVES - 1) / 2);
    result("skynet", elapsed.as_secs_f64() * 1e3, "ms");
    result("peak_rss", peak_rss_bytes() / (1 << 20) as f64, "MiB");
}

/// S8: what does a lock cost that many want? 100 tasks lock and unlock one mutex 100k times each.
pub async fn locking() {
    const TASKS: u64 = 100;
    const TIMES: u64 = 100_000;
    let counter = Arc::new(Mutex::new(0));
    let start = Instant::now();
    let task = |counter: Arc<Mutex<u64>>| async move {
        for _ in 0..TIMES {
            *counter.lock().await += 1
        }
    };
    let all: Vec<_> = (0..TASKS).map(|_| tokio::spawn(task(counter.clone()))).collect();
    for task in all {
        task.await.unwrap()
    }
    let elapsed = ns_each(start, TASKS * TIMES);
    assert_eq!(*counter.lock().await, TASKS * TIMES);
    result("mutex", elapsed, "ns/op");
}

/// S9: what does it cost to wait for whichever of four channels has something? Four producers send 1M
/// each.
pub async fn selecting() {
    const EACH: u64 = 1_000_000;
    let producer = || {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            for k in 0..EACH {
                sender.send(k).await.unwrap()
            }
        });
        receiver
    };
    let (mut a, mut b, mut c, mut d) = (producer(), producer(), producer(), producer());
    let start = Instant::now();
    let mut sum = 0;
    for _ in 0..4 * EACH {
        tokio::select! {
            Some(v) = a.recv() => sum += v,
            Some(v) = b.recv() => sum += v,
            Some(v) = c.recv() => sum += v,
            Some(v) = d.recv() => sum += v,
        }
    }
    let elapsed = ns_each(start, 4 * EACH);
    assert_eq!(sum, 4 * EACH * (EACH - 1) / 2);
    result("select4", elapsed, "ns/select");
}
