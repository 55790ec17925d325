package hub

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxProxyAnswer is more than a proxy has to say, in bytes.
const maxProxyAnswer = 64 << 10

// throughProxy opens a TCP connection, through the proxy that the environment
// names for it (HTTPS_PROXY, NO_PROXY) if there is one.
func (c *Client) throughProxy(ctx context.Context, host string, port int) (net.Conn, error) {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	proxy, err := c.opts.Proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: address}})
	switch {
	case err != nil: // it may quote a password
		return nil, proxyError("HTTPS_PROXY is not an address like http://proxy:3128", err)
	case proxy == nil:
		return c.dialTCP(ctx, host, port)
	case proxy.Scheme != "http" && proxy.Scheme != "https":
		return nil, proxyError(fmt.Sprintf("HTTPS_PROXY names a proxy of the kind %s; http and https are possible", clip(proxy.Scheme, 20)), nil)
	}
	conn, err := c.dialProxy(ctx, proxy)
	if err != nil {
		return nil, proxyError(fmt.Sprintf("the proxy %s is not reached: %s", proxy.Host, plain(err)), err)
	}
	if err := tunnel(ctx, conn, proxy, address); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// dialProxy connects to the proxy itself.
func (c *Client) dialProxy(ctx context.Context, proxy *url.URL) (net.Conn, error) {
	port := proxy.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[proxy.Scheme]
	}
	raw, err := c.dialer.DialContext(ctx, "tcp", net.JoinHostPort(proxy.Hostname(), port))
	if err != nil || proxy.Scheme == "http" {
		return raw, err
	}
	conn := tls.Client(raw, &tls.Config{
		ServerName: proxy.Hostname(), RootCAs: c.opts.Roots, Time: c.opts.Now, MinVersion: tls.VersionTLS12,
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// tunnel has the proxy connect to address (RFC 9110, section 9.3.6).
func tunnel(ctx context.Context, conn net.Conn, proxy *url.URL, address string) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		return silentProxy(ctx, proxy, err)
	}
	// Nothing follows the answer: in TLS the client speaks first.
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxProxyAnswer)), req)
	if err != nil {
		return silentProxy(ctx, proxy, err)
	}
	switch {
	case resp.StatusCode == http.StatusProxyAuthRequired, resp.StatusCode == http.StatusUnauthorized: // tinyproxy says 401 to a wrong one
		return proxyError(fmt.Sprintf("the proxy %s wants another name and password (HTTP %d): write them as http://NAME:PASSWORD@%[1]s in HTTPS_PROXY",
			proxy.Host, resp.StatusCode), nil)
	case resp.StatusCode/100 != 2:
		return proxyError(fmt.Sprintf("the proxy %s does not connect to %s (HTTP %d): does it allow that?", proxy.Host, address, resp.StatusCode), nil)
	}
	return nil
}

func silentProxy(ctx context.Context, proxy *url.URL, err error) error {
	err = because(ctx, err)
	words := plain(err)
	switch {
	case isTimeout(err):
		words = "no answer in time"
	case isClosed(err), errors.Is(err, io.ErrUnexpectedEOF):
		words = "it closed the connection"
	}
	return proxyError(fmt.Sprintf("the proxy %s does not do its work: %s", proxy.Host, words), err)
}

// proxyError is for a proxy that is not usable.
func proxyError(words string, err error) *Error {
	return &Error{Kind: Unreachable, words: words, cause: err}
}
