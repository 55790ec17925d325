// Timeserver answers NTP with the machine's time, at the port where the world asks.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"time"

	"tasmota-azd/test/lab"
)

func main() {
	server, err := lab.ServeTime("127.0.0.1:123", time.Now)
	if err != nil {
		fmt.Fprintln(os.Stderr, "timeserver:", err)
		os.Exit(1)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt)
	<-end
	server.Close() // and so does the process
}
