// Measures how long goroutines that can run wait beside others that compute, as bench/api/fairness.cpp does.
package main

import (
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func computeFor(d time.Duration) {
	for until := time.Now().Add(d); time.Now().Before(until); {
	}
}

func computeUntil(stop *atomic.Bool) uint64 {
	var steps, x uint64 = 0, 1
	for ; !stop.Load(); steps++ {
		for k := 0; k < 100; k++ {
			x = x*6364136223846793005 + 1442695040888963407
		}
	}
	return steps + x>>63&^x
}

// hogs starts so many that compute; what it returns ends them.
func hogs(count int, body func(stop *atomic.Bool)) func() {
	var stop atomic.Bool
	var all sync.WaitGroup
	var up atomic.Int64
	for i := 0; i < count; i++ {
		all.Add(1)
		go func() {
			up.Add(1)
			body(&stop)
			all.Done()
		}()
	}
	for up.Load() != int64(count) {
		time.Sleep(time.Millisecond)
	}
	return func() {
		stop.Store(true)
		all.Wait()
	}
}

// S14: how long until all of many short ones that are started have run?
func starts(how string, count int) {
	end := hogs(4, func(stop *atomic.Bool) {
		if how == "checks" {
			computeUntil(stop)
			return
		}
		for ; !stop.Load(); runtime.Gosched() {
			computeFor(5 * time.Millisecond)
		}
	})
	allStarted(count)
	end()
}

func allStarted(count int) {
	var left, last atomic.Int64
	left.Store(int64(count))
	start := time.Now()
	for i := 0; i < count; i++ {
		go func() {
			if left.Add(-1) == 0 {
				last.Store(int64(time.Since(start)))
			}
		}()
	}
	for last.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	result("all_started", float64(last.Load())/1e6, "ms")
}

// S15: how late is the end of a system call of 1 ms?
func systemCalls(count int) {
	end := hogs(count, func(stop *atomic.Bool) { computeUntil(stop) })
	var late []time.Duration
	for until := time.Now().Add(3 * time.Second); time.Now().Before(until); {
		start := time.Now()
		call := syscall.Timespec{Nsec: 1_000_000}
		_ = syscall.Nanosleep(&call, nil)
		late = append(late, time.Since(start)-time.Millisecond)
	}
	end()
	reportLateness(late)
}

// S16: how much of its rate has a ping-pong beside a loop that calls nothing?
func besideALoop() {
	var over, looping atomic.Bool
	var rounds atomic.Uint64
	var all sync.WaitGroup
	ping, pong := make(chan int), make(chan int)
	all.Add(3)
	go func() {
		for x := range ping {
			pong <- x
		}
		all.Done()
	}()
	go func() {
		for !over.Load() {
			ping <- 1
			<-pong
			rounds.Add(1)
		}
		close(ping)
		all.Done()
	}()
	roundsIn := func() float64 {
		before, start := rounds.Load(), time.Now()
		time.Sleep(time.Second)
		return float64(rounds.Load()-before) / time.Since(start).Seconds()
	}
	alone := roundsIn()
	go func() {
		looping.Store(true)
		for !over.Load() {
		}
		all.Done()
	}()
	for !looping.Load() {
		time.Sleep(time.Millisecond)
	}
	beside := roundsIn()
	over.Store(true)
	all.Wait()
	result("rounds_alone", alone/1e6, "M/s")
	result("rounds_beside", beside/1e6, "M/s")
	result("rounds_kept", 100*beside/alone, "%")
}

// When has each of so many that compute for good run for the first time?
func crowd(count int) {
	var stop atomic.Bool
	var left, last atomic.Int64
	var all sync.WaitGroup
	left.Store(int64(count))
	start := time.Now()
	for i := 0; i < count; i++ {
		all.Add(1)
		go func() {
			if left.Add(-1) == 0 {
				last.Store(int64(time.Since(start)))
			}
			computeUntil(&stop)
			all.Done()
		}()
	}
	for last.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	all.Wait()
	result("all_started", float64(last.Load())/1e6, "ms")
}

// S17: how long until 400 short ones have run beside a pair for each processor, each of which computes in its turn?
func besidePairs() {
	var stop atomic.Bool
	var all sync.WaitGroup
	for i := 0; i < runtime.GOMAXPROCS(0); i++ {
		ping, pong := make(chan int), make(chan int)
		all.Add(2)
		go func() {
			for !stop.Load() {
				computeFor(200 * time.Microsecond)
				ping <- 1
				<-pong
			}
			close(ping)
			all.Done()
		}()
		go func() {
			for range ping {
				computeFor(200 * time.Microsecond)
				pong <- 1
			}
			all.Done()
		}()
	}
	time.Sleep(20 * time.Millisecond)
	allStarted(400)
	stop.Store(true)
	all.Wait()
}

func equalShares(count int) {
	steps := make([]uint64, count)
	var next atomic.Int64
	end := hogs(count, func(stop *atomic.Bool) {
		mine := next.Add(1) - 1
		steps[mine] = computeUntil(stop)
	})
	time.Sleep(3 * time.Second)
	end()
	sort.Slice(steps, func(i, j int) bool { return steps[i] < steps[j] })
	var sum float64
	for _, one := range steps {
		sum += float64(one)
	}
	share := func(one uint64) float64 { return float64(one) * float64(count) / sum }
	result("share_least", share(steps[0]), "x")
	result("share_most", share(steps[count-1]), "x")
}

func fork() {
	var late []time.Duration
	for round := 0; round < 50; round++ {
		time.Sleep(50 * time.Millisecond)
		start := time.Now()
		second := make(chan time.Duration, 1)
		go func() { second <- time.Since(start) }()
		computeFor(5 * time.Millisecond)
		late = append(late, <-second)
	}
	reportLateness(late)
}
