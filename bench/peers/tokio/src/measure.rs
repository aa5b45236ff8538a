//! Reading the clock, the memory and the CPU time, and printing results: the same definitions as
//! bench/api/measure.hpp.
use std::time::{Duration, Instant};

pub fn result(metric: &str, value: f64, unit: &str) {
    println!("RESULT {metric} {value:.3} {unit}");
}

pub fn ns_each(start: Instant, operations: u64) -> f64 {
    start.elapsed().as_nanos() as f64 / operations as f64
}

/// The resident memory of this process.
pub fn rss_bytes() -> f64 {
    status_bytes("VmRSS:")
}

/// The most that it has been.
pub fn peak_rss_bytes() -> f64 {
    status_bytes("VmHWM:")
}

fn status_bytes(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with(key)).unwrap();
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024.0
}

/// What all threads of this process have used, user and system.
pub fn cpu_time() -> Duration {
    // SAFETY: rusage is plain numbers, so all zeros is a value of it, and getrusage fills it.
    let used = unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut used), 0);
        used
    };
    let duration = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64)
    };
    duration(used.ru_utime) + duration(used.ru_stime)
}

pub fn report_lateness(late_ns: &mut [i64]) {
    late_ns.sort_unstable();
    let us = |fraction: f64| {
        let i = (fraction * late_ns.len() as f64) as usize;
        late_ns[i.min(late_ns.len() - 1)] as f64 / 1e3
    };
    result("late_p50", us(0.5), "us");
    result("late_p99", us(0.99), "us");
    result("late_p999", us(0.999), "us");
    result("late_max", us(1.0), "us");
    let early = late_ns.partition_point(|&ns| ns < 0);
    result("early", early as f64, "sleeps");
}
