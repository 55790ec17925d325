package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tasmota-azd/internal/hubsim"
)

func certificateCommand(c *client) *cobra.Command {
	cmd := &cobra.Command{Use: "certificate", Short: "CAs that may sign for devices with x509_ca"}
	cmd.AddCommand(certificateCreate(c), certificateList(c), &cobra.Command{
		Use: "delete NAME", Short: "Trust a CA no longer", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.act(cmd.Context(), "DELETE", "/v1/certificates/"+url.PathEscape(args[0]), nil, "deleted %s", args[0])
		},
	})
	return cmd
}

func certificateCreate(c *client) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Trust a CA", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readPEM(path)
			if err != nil {
				return err
			}
			body := map[string]string{"name": args[0], "certificate": text}
			return c.act(cmd.Context(), "POST", "/v1/certificates", body, "trusted: %s", args[0])
		},
	}
	cmd.Flags().StringVar(&path, "path", "", "`file` with the CA's certificate in PEM")
	if err := cmd.MarkFlagRequired("path"); err != nil {
		panic(err) // the flag is a few lines above
	}
	return cmd
}

func certificateList(c *client) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the CAs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return show(cmd.Context(), c, "/v1/certificates", "NAME\tSUBJECT\tEXPIRES\tTHUMBPRINT", func(a hubsim.Certificate) string {
				return fmt.Sprintf("%s\t%s\t%s\t%s", a.Name, plain(a.Subject), moment(a.Expiry), a.SHA256)
			})
		},
	}
}

// readPEM reads a file with one certificate. No name means none.
func readPEM(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	data, err := os.ReadFile(path)
	if err == nil {
		_, err = hubsim.ParseCertificate(data)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return string(data), nil
}

// selfSigned makes a certificate for a device and its key, in files that are
// called as by "az iot", and returns the thumbprint.
func selfSigned(dir, id string) (string, error) {
	pair, err := hubsim.SelfSigned(time.Now(), id)
	if err != nil {
		return "", err
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return "", err
	}
	return hubsim.ThumbprintOf(pair.Certificate[0]), errors.Join(
		os.WriteFile(filepath.Join(dir, id+"-key.pem"), pemOf("PRIVATE KEY", key), 0o600),
		os.WriteFile(filepath.Join(dir, id+"-cert.pem"), pemOf("CERTIFICATE", pair.Certificate[0]), 0o644),
	)
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
