// A crawler over a web of pages that is made up, in Go; go_port.cpp is the same program, line by line.
//
//	go run go_port.go
package main

import (
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"
)

const patience = time.Second

var (
	errTimeout  = errors.New("no answer")
	errNotFound = errors.New("not found")
)

type page struct {
	title string
	links []string
	delay time.Duration
}

var web = map[string]page{
	"/":         {title: "start", links: []string{"/weaving", "/looms", "/archive"}},
	"/weaving":  {title: "weaving", links: []string{"/", "/looms", "/missing"}},
	"/looms":    {title: "looms", links: []string{"/weaving", "/shuttles"}},
	"/shuttles": {title: "shuttles", links: []string{"/looms"}, delay: time.Millisecond},
	"/archive":  {title: "archive", delay: time.Hour},
}

type answer struct {
	found page
	err   error
}

// fetch takes as long as the server does.
func fetch(url string) answer {
	found, ok := web[url]
	if !ok {
		return answer{err: errNotFound}
	}
	time.Sleep(found.delay)
	return answer{found: found}
}

// fetchPatiently gives up after a while; whatever comes later is dropped.
func fetchPatiently(url string) answer {
	fetched := make(chan answer, 1)
	go func() { fetched <- fetch(url) }()
	select {
	case a := <-fetched:
		return a
	case <-time.After(patience):
		return answer{err: errTimeout}
	}
}

type crawler struct {
	mu      sync.Mutex
	seen    map[string]bool
	running sync.WaitGroup
	lines   chan string
}

// start crawls url in a goroutine of its own, unless somebody does so already.
func (c *crawler) start(url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[url] {
		return
	}
	c.seen[url] = true
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		c.crawl(url)
	}()
}

func (c *crawler) crawl(url string) {
	a := fetchPatiently(url)
	if a.err != nil {
		c.lines <- fmt.Sprintf("%-10s %v", url, a.err)
		return
	}
	c.lines <- fmt.Sprintf("%-10s %s, %d links", url, a.found.title, len(a.found.links))
	for _, link := range a.found.links {
		c.start(link)
	}
}

func main() {
	c := crawler{seen: map[string]bool{}, lines: make(chan string)}
	c.start("/")
	go func() {
		c.running.Wait()
		close(c.lines)
	}()

	var lines []string
	for line := range c.lines {
		lines = append(lines, line)
	}
	sort.Strings(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
}
