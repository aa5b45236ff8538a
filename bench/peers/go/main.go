// The workloads of bench/README.md on Go. GOMAXPROCS sets the number of processors.
//
//	go_workloads s1 | s2 | s3 | s3b | s4 | s5 | s6 [coroutines] | s7 [coroutines] | s8 | s9 | s12 | s14 | s15 | s17 | shares | fork |
//	             chan_memory
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// S1: what does a yield cost? Two goroutines take turns, 5M yields each.
func yield() {
	const coroutines, yields = 2, 5_000_000
	var all sync.WaitGroup
	all.Add(coroutines)
	start := time.Now()
	for i := 0; i < coroutines; i++ {
		go func() {
			for k := 0; k < yields; k++ {
				runtime.Gosched()
			}
			all.Done()
		}()
	}
	all.Wait()
	result("yield", nsEach(start, coroutines*yields), "ns/switch")
}

// S2: what does starting a coroutine and waiting for its end cost? The body is empty.
func spawn() {
	const batch, rounds = 10_000, 100
	start := time.Now()
	for r := 0; r < rounds; r++ {
		var all sync.WaitGroup
		all.Add(batch)
		for i := 0; i < batch; i++ {
			go all.Done()
		}
		all.Wait()
	}
	result("spawn", nsEach(start, batch*rounds), "ns/spawn")
}

// S4: what does waking another coroutine and going to sleep cost? A token runs round a ring of
// goroutines joined by unbuffered channels.
func ring() {
	const nodes, hops = 503, 5_000_000
	done := make(chan struct{})
	node := func(in <-chan int, out chan<- int) {
		for token := range in {
			if token == 0 {
				close(done)
				return
			}
			out <- token - 1
		}
	}
	start := time.Now()
	first := make(chan int)
	in := first
	for i := 1; i < nodes; i++ {
		out := make(chan int)
		go node(in, out)
		in = out
	}
	go node(in, first)
	first <- hops
	<-done
	result("ring", nsEach(start, hops), "ns/hop")
}

// S6: what does a parked coroutine hold on to? Each has called nothing deep.
func parked(coroutines int) {
	gate := make(chan struct{})
	var all sync.WaitGroup
	all.Add(coroutines)
	before := rssBytes()
	start := time.Now()
	for i := 0; i < coroutines; i++ {
		go func() {
			all.Done()
			<-gate
		}()
	}
	all.Wait()
	spawnPark := nsEach(start, coroutines)
	time.Sleep(20 * time.Millisecond)
	result("rss_per_coroutine", (rssBytes()-before)/float64(coroutines), "B")
	result("spawn_park", spawnPark, "ns")
	close(gate)
}

// S7: how late do sleepers wake, and what does a sleep cost? Each goroutine sleeps ten times for a
// pseudo-random 1 to 100 ms.
func sleepers(coroutines int) {
	const rounds = 10
	late := make([]time.Duration, coroutines*rounds)
	var all sync.WaitGroup
	all.Add(coroutines)
	cpu, start := cpuTime(), time.Now()
	for i := 0; i < coroutines; i++ {
		go func(i int) {
			x := uint32(i)*2654435761 + 12345
			for r := 0; r < rounds; r++ {
				x = x*1664525 + 1013904223
				d := time.Duration(1000+(x>>8)%99000) * time.Microsecond
				asleep := time.Now()
				time.Sleep(d)
				late[i*rounds+r] = time.Since(asleep) - d
			}
			all.Done()
		}(i)
	}
	all.Wait()
	elapsed, cpu := time.Since(start), cpuTime()-cpu
	sleeps := float64(coroutines * rounds)
	result("sleeps_per_s", sleeps/elapsed.Seconds()/1e6, "M/s")
	result("cpu_per_sleep", float64(cpu.Nanoseconds())/sleeps, "ns")
	reportLateness(late)
}

// S12: how late does a sleeper wake beside four goroutines that compute, and what is left to them?
func wakeUp() {
	compute := func(d time.Duration, beside func(until time.Time)) float64 {
		var stop atomic.Bool
		var steps atomic.Uint64
		var all sync.WaitGroup
		for i := 0; i < 4; i++ {
			all.Add(1)
			go func() {
				var mine, x uint64 = 0, 1
				for !stop.Load() {
					for k := 0; k < 100; k++ {
						x = x*6364136223846793005 + 1442695040888963407
					}
					mine += 1 | x>>63&^x
				}
				steps.Add(mine)
				all.Done()
			}()
		}
		until := time.Now().Add(d)
		beside(until)
		for time.Now().Before(until) {
			time.Sleep(time.Until(until))
		}
		stop.Store(true)
		all.Wait()
		return float64(steps.Load())
	}
	alone := compute(time.Second, func(time.Time) {})
	var late []time.Duration
	beside := compute(3*time.Second, func(until time.Time) {
		for time.Now().Before(until) {
			asleep := time.Now()
			time.Sleep(time.Millisecond)
			late = append(late, time.Since(asleep)-time.Millisecond)
		}
	})
	result("wakeups", float64(len(late)), "n")
	reportLateness(late)
	result("hogs_keep", 100*beside/(3*alone), "%")
}

func argument(otherwise int) int {
	if len(os.Args) < 3 {
		return otherwise
	}
	return number(os.Args[2])
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n <= 0 {
		fmt.Fprintf(os.Stderr, "go_workloads: not a number of coroutines: %s\n", text)
		os.Exit(2)
	}
	return n
}

func main() {
	workload := ""
	if len(os.Args) > 1 {
		workload = os.Args[1]
	}
	switch workload {
	case "s1":
		yield()
	case "s2":
		spawn()
	case "s3":
		pingPong()
	case "s3b":
		buffered()
	case "s4":
		ring()
	case "s5":
		growSkynet()
	case "s6":
		parked(argument(1_000_000))
	case "s7":
		sleepers(argument(10_000))
	case "s8":
		locking()
	case "s9":
		selecting()
	case "s12":
		wakeUp()
	case "s14":
		how, count := "checks", 1000
		if len(os.Args) > 2 {
			how = os.Args[2]
		}
		if len(os.Args) > 3 {
			count = number(os.Args[3])
		}
		starts(how, count)
	case "s15":
		systemCalls(argument(2))
	case "s16":
		besideALoop()
	case "crowd":
		crowd(argument(600))
	case "s17":
		besidePairs()
	case "shares":
		equalShares(argument(3))
	case "fork":
		fork()
	case "chan_memory":
		channelMemory()
	default:
		fmt.Fprintln(os.Stderr, "usage: go_workloads s1 | s2 | s3 | s3b | s4 | s5 | s6 [coroutines] | "+
			"s7 [coroutines] | s8 | s9 | s12 | s14 [checks | yields [count]] | s15 [hogs] | s17 | "+
			"shares [count] | fork | chan_memory")
		os.Exit(2)
	}
}
