// Workload C1 on Go: the smallest program that starts one goroutine and waits for it. A program of
// its own, so that nothing else is linked in.
package main

func main() {
	done := make(chan struct{})
	go func() { close(done) }()
	<-done
}
