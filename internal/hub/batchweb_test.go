package hub_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/gorilla/websocket"

	"tasmota-azd/internal/hub"
)

// TestNoBatchOverWebSocket: of a batch over a WebSocket each packet has a frame of its own, and the
// packet after it waits for nobody.
func TestNoBatchOverWebSocket(t *testing.T) {
	frames := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(frames)
		ws, err := (&websocket.Upgrader{Subprotocols: []string{"mqtt"}}).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.Close()
		for {
			_, frame, err := ws.ReadMessage()
			if err != nil {
				return // the goodbye below
			}
			frames <- string(frame)
		}
	}))
	defer server.Close()
	raw, err := net.Dial("tcp", server.Listener.Addr().String())
	must(t, err)
	web, err := hub.Upgrade(t.Context(), raw, hub.Identity{Host: "localhost"}, server.Listener.Addr().(*net.TCPAddr).Port)
	must(t, err)
	b := hub.Batched(web)
	for _, step := range []string{"+", aPublish, aPuback, "2", "+", aPublish, "1"} {
		play(t, b, step)
	}
	must(t, web.Close())
	var got []string
	for f := range frames {
		got = append(got, f)
	}
	if want := []string{aPublish, aPuback, aPublish}; !slices.Equal(got, want) {
		t.Errorf("frames %q, want %q", got, want)
	}
}
