// Reading the clock, the memory and the CPU time, and printing results: the same definitions as
// bench/api/measure.hpp.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func result(metric string, value float64, unit string) {
	fmt.Printf("RESULT %s %.3f %s\n", metric, value, unit)
}

func nsEach(start time.Time, operations int) float64 {
	return float64(time.Since(start).Nanoseconds()) / float64(operations)
}

// rssBytes is the resident memory of this process, and peakRssBytes the most it has been.
func rssBytes() float64     { return statusBytes("VmRSS:") }
func peakRssBytes() float64 { return statusBytes("VmHWM:") }

func statusBytes(key string) float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, key) {
			kib, _ := strconv.ParseFloat(strings.Fields(line)[1], 64)
			return kib * 1024
		}
	}
	panic("no " + key + " in /proc/self/status")
}

// cpuTime is what all threads of this process have used, user and system.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func reportLateness(late []time.Duration) {
	sort.Slice(late, func(i, j int) bool { return late[i] < late[j] })
	us := func(fraction float64) float64 {
		i := int(fraction * float64(len(late)))
		if i >= len(late) {
			i = len(late) - 1
		}
		return float64(late[i].Nanoseconds()) / 1e3
	}
	result("late_p50", us(.5), "us")
	result("late_p99", us(.99), "us")
	result("late_p999", us(.999), "us")
	result("late_max", us(1), "us")
	result("early", float64(sort.Search(len(late), func(i int) bool { return late[i] >= 0 })), "sleeps")
}
