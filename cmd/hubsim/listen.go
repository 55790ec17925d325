package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"tasmota-azd/internal/hubsim"
)

// start listens everywhere, and serves in g.
func (v *serving) start(ctx context.Context, g *errgroup.Group, sim *hubsim.Sim, ca *hubsim.CA) (*addresses, error) {
	if err := onLoopback(*v.control); err != nil {
		return nil, err
	}
	hubTLS, err := sim.TLSConfig(ca)
	if err != nil {
		return nil, err
	}
	dpsTLS, err := sim.DPSConfig(ca)
	if err != nil {
		return nil, err
	}
	at := func(port int) string { return net.JoinHostPort(v.listen, strconv.Itoa(port)) }
	lns, err := listen(at(v.hubPort), at(v.dpsPort), *v.control, at(v.wsPort))
	if err != nil {
		return nil, err
	}
	hub, dps, control, ws := lns[0], lns[1], lns[2], lns[3]
	g.Go(func() error { return sim.Serve(ctx, hub, hubTLS) })
	g.Go(func() error { return sim.ServeWebSocket(ctx, ws, hubTLS) })
	dpsServer, controlServer := v.server(ctx, sim.DPS()), v.server(ctx, sim.Control())
	dpsServer.TLSConfig = dpsTLS
	g.Go(func() error {
		return serveHTTP(ctx, dpsServer, func() error { return dpsServer.ServeTLS(dps, "", "") })
	})
	g.Go(func() error {
		return serveHTTP(ctx, controlServer, func() error { return controlServer.Serve(control) })
	})
	return &addresses{
		PID: os.Getpid(), Hubs: v.options.Hosts, ScopeID: v.options.ScopeID,
		Hub: hub.Addr().String(), DPS: dps.Addr().String(), Control: control.Addr().String(), WebSocket: ws.Addr().String(),
		HubPort: port(hub), DPSPort: port(dps), WebSocketPort: port(ws),
	}, nil
}

func port(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

// listen opens all addresses or none.
func listen(addrs ...string) ([]net.Listener, error) {
	var lns []net.Listener
	for _, addr := range addrs {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			for _, ln := range lns {
				ln.Close()
			}
			return nil, err
		}
		lns = append(lns, ln)
	}
	return lns, nil
}

// onLoopback refuses to show the control API to the network.
func onLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("--control: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("--control %s: the control API listens on the loopback interface only, such as %s", addr, defaultControl)
	}
	return nil
}

// server has the limits of all HTTP here. Its requests end with ctx.
func (v *serving) server(ctx context.Context, h http.Handler) *http.Server {
	var one http.Protocols // HTTP/2 may be left out of the build, and be offered all the same
	one.SetHTTP1(true)
	s := &http.Server{
		Handler:           h,
		Protocols:         &one,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
	}
	if v.options.Log != nil {
		s.ErrorLog = slog.NewLogLogger(v.options.Log.Handler(), slog.LevelWarn)
	}
	return s
}

// serveHTTP runs serve until ctx ends, and lets requests under way finish.
func serveHTTP(ctx context.Context, s *http.Server, serve func() error) error {
	done := make(chan error, 1)
	go func() { done <- serve() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if s.Shutdown(end) != nil {
		s.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
