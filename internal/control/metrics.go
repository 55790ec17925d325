package control

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"tasmota-azd/internal/metrics"
)

// A Metrics makes the page of numbers.
type Metrics func(context.Context) (*metrics.Page, error)

// ListenMetrics serves GET /metrics, and nothing else, at a TCP address such as
// 127.0.0.1:9464.
func ListenMetrics(address string, page Metrics, log *slog.Logger) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", page.serve)
	return newServer(l, mux, log), nil
}

// Address is where the server listens.
func (s *Server) Address() net.Addr { return s.l.Addr() }

func (m Metrics) serve(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerIn)
	defer cancel()
	page, err := m(ctx)
	if err != nil {
		answer(w, nil, err)
		return
	}
	w.Header().Set("Content-Type", metrics.ContentType)
	_, _ = w.Write(page.Text()) // who does not read it has left
}
