// The workloads that are about channels and locks; bench/api/channels.cpp does the same work.
package main

import (
	"runtime"
	"sync"
	"time"
)

// S3: what does it cost to give a value to another goroutine and to get one back? Two unbuffered
// channels, 2M round trips.
func pingPong() {
	const trips = 2_000_000
	ping, pong := make(chan int), make(chan int)
	start := time.Now()
	go func() {
		for v := range ping {
			pong <- v
		}
	}()
	for i := 0; i < trips; i++ {
		ping <- i
		<-pong
	}
	result("pingpong", nsEach(start, trips), "ns/roundtrip")
	close(ping)
}

// S3b: what does it cost to move a value through a buffer of 128? One producer, one consumer.
func buffered() {
	const items = 10_000_000
	c := make(chan int, 128)
	start := time.Now()
	go func() {
		for i := 0; i < items; i++ {
			c <- i
		}
		close(c)
	}()
	sum := 0
	for v := range c {
		sum += v
	}
	elapsed := nsEach(start, items)
	expect(sum == items*(items-1)/2, "an item was lost")
	result("buffered128", elapsed, "ns/item")
}

// S5: what does a burst of short-lived goroutines cost that report to their parents? Ten children
// each, 1M leaves; each leaf sends its number, each parent the sum of what it got.
func skynet(out chan<- int, number, leaves int) {
	if leaves == 1 {
		out <- number
		return
	}
	const children = 10
	sums := make(chan int)
	for i := 0; i < children; i++ {
		go skynet(sums, number+i*(leaves/children), leaves/children)
	}
	sum := 0
	for i := 0; i < children; i++ {
		sum += <-sums
	}
	out <- sum
}

func growSkynet() {
	const leaves = 1_000_000
	out := make(chan int)
	start := time.Now()
	go skynet(out, 0, leaves)
	sum := <-out
	elapsed := time.Since(start)
	expect(sum == leaves*(leaves-1)/2, "a leaf was lost")
	result("skynet", elapsed.Seconds()*1e3, "ms")
	result("peak_rss", peakRssBytes()/(1<<20), "MiB")
}

// S8: what does a lock cost that many want? 100 goroutines lock and unlock one mutex 100k times each.
func locking() {
	const goroutines, times = 100, 100_000
	var lock sync.Mutex
	var all sync.WaitGroup
	counter := 0
	all.Add(goroutines)
	start := time.Now()
	for i := 0; i < goroutines; i++ {
		go func() {
			for k := 0; k < times; k++ {
				lock.Lock()
				counter++
				lock.Unlock()
			}
			all.Done()
		}()
	}
	all.Wait()
	elapsed := nsEach(start, goroutines*times)
	expect(counter == goroutines*times, "the lock did not exclude")
	result("mutex", elapsed, "ns/op")
}

// S9: what does it cost to wait for whichever of four channels has something? Four producers send 1M
// each through unbuffered channels.
func selecting() {
	const each = 1_000_000
	var c [4]chan int
	for i := range c {
		c[i] = make(chan int)
		go func(c chan<- int) {
			for k := 0; k < each; k++ {
				c <- k
			}
		}(c[i])
	}
	start := time.Now()
	sum := 0
	for k := 0; k < len(c)*each; k++ {
		select {
		case v := <-c[0]:
			sum += v
		case v := <-c[1]:
			sum += v
		case v := <-c[2]:
			sum += v
		case v := <-c[3]:
			sum += v
		}
	}
	elapsed := nsEach(start, len(c)*each)
	expect(sum == len(c)*each*(each-1)/2, "a value was lost")
	result("select4", elapsed, "ns/select")
}

// What does a channel hold on to that is unbuffered, and that nobody uses yet?
func channelMemory() {
	held := make([]chan int, 1_000_000)
	for i := range held {
		held[i] = nil // Written, so resident, before the measurement.
	}
	before := rssBytes()
	for i := range held {
		held[i] = make(chan int)
	}
	result("channel_bytes", (rssBytes()-before)/float64(len(held)), "B")
	runtime.KeepAlive(held)
}

func expect(condition bool, otherwise string) {
	if !condition {
		panic(otherwise)
	}
}
