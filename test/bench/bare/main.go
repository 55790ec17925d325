// Command bare does the daemon's main job with paho and nothing else: it logs in
// with a key, toggles a simulated pin for each cloud message, writes one log line
// and answers. The bench holds the daemon against it.
//
// It is a measure, not an example: it saves nothing, survives nothing and proves
// nothing.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"periph.io/x/conn/v3/gpio"

	"tasmota-azd/internal/relay/sim"
	"tasmota-azd/internal/token"
)

func main() {
	host := flag.String("host", "localhost", "the hub")
	port := flag.Int("port", 8883, "its port")
	device := flag.String("device", "bare", "device id")
	keyText := flag.String("key", "", "device key")
	ca := flag.String("ca", "", "file of the hub's CA")
	dir := flag.String("pins", "", "directory of the simulated pins")
	flag.Parse()
	if err := run(*host, *port, *device, *keyText, *ca, *dir); err != nil {
		fmt.Fprintf(os.Stderr, "bare: %v\n", err)
		os.Exit(1)
	}
}

func run(host string, port int, device, keyText, ca, dir string) error {
	key, err := token.ParseKey(keyText)
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	board, err := sim.Open(dir)
	if err != nil {
		return err
	}
	pin := board.Pin("GPIO17")
	if err := pin.Out(gpio.Low); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	on := false
	o := mqtt.NewClientOptions().
		AddBroker(fmt.Sprintf("ssl://%s:%d", host, port)).
		SetClientID(device).SetCleanSession(false).SetProtocolVersion(4).SetAutoReconnect(false).
		SetUsername(host + "/" + device + "/?api-version=2021-04-12").
		SetPassword(token.Hub(key, host, device, time.Now().Add(time.Hour))).
		SetTLSConfig(&tls.Config{RootCAs: roots, ServerName: host}).
		SetDefaultPublishHandler(func(c mqtt.Client, m mqtt.Message) {
			begin := time.Now()
			id := property(m.Topic(), "%24.mid")
			on = !on
			if err := pin.Out(gpio.Level(on)); err != nil {
				log.Error("pin", "err", err)
				return
			}
			word := map[bool]string{true: "ON", false: "OFF"}[on]
			c.Publish("devices/"+device+"/messages/events/topic="+url.QueryEscape(device+"/RESULT")+
				"&%24.cid="+url.QueryEscape(id)+"&%24.ct=application%2Fjson&%24.ce=utf-8", 1, false,
				`{"POWER":"`+word+`"}`)
			log.Info("command done", "id", id, "result", word, "took", time.Since(begin))
		})
	c := mqtt.NewClient(o)
	if t := c.Connect(); t.Wait() && t.Error() != nil {
		return t.Error()
	}
	if t := c.Subscribe("devices/"+device+"/messages/devicebound/#", 1, nil); t.Wait() && t.Error() != nil {
		return t.Error()
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
	c.Disconnect(250)
	return nil
}

// property finds one property of a message's topic, well enough for a bench.
func property(topic, name string) string {
	for part := range strings.SplitSeq(topic[strings.LastIndexByte(topic, '/')+1:], "&") {
		if v, ok := strings.CutPrefix(part, name+"="); ok {
			return v
		}
	}
	return ""
}
