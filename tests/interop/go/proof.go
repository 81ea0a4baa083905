package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	algCosignature = 4
	timestampBytes = 8
)

// cosigner verifies and makes cosignatures of version 1 (https://c2sp.org/tlog-cosignature).
type cosigner struct {
	name   string
	hash   uint32
	key    ed25519.PublicKey
	secret ed25519.PrivateKey
	time   uint64
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func cosigned(time uint64, text []byte) []byte {
	return append([]byte(fmt.Sprintf("cosignature/v1\ntime %d\n", time)), text...)
}

func (c *cosigner) Verify(text, signature []byte) bool {
	if len(signature) != timestampBytes+ed25519.SignatureSize {
		return false
	}
	c.time = binary.BigEndian.Uint64(signature)
	return ed25519.Verify(c.key, cosigned(c.time, text), signature[timestampBytes:])
}

func (c *cosigner) Sign(text []byte) ([]byte, error) {
	signature := binary.BigEndian.AppendUint64(nil, c.time)
	return append(signature, ed25519.Sign(c.secret, cosigned(c.time, text))...), nil
}

func keyHash(name string, key []byte) uint32 {
	hash := sha256.Sum256(append([]byte(name+"\n"), key...))
	return binary.BigEndian.Uint32(hash[:])
}

func parseCosigner(vkey string) (*cosigner, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not a vkey")
	}
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	if len(key) != 1+ed25519.PublicKeySize || key[0] != algCosignature || uint32(hash) != keyHash(parts[0], key) {
		return nil, errors.New("not the vkey of a cosigner")
	}
	return &cosigner{name: parts[0], hash: uint32(hash), key: key[1:]}, nil
}

// proof verifies a tlog-proof (https://c2sp.org/tlog-proof) whose extra line is the entry.
func proof(logVkey string, cosignerVkeys []string) error {
	content, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	head, signed, found := bytes.Cut(content, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a tlog-proof")
	}
	extra, hasExtra := strings.CutPrefix(lines[1], "extra ")
	position, hasIndex := strings.CutPrefix(lines[2], "index ")
	if !hasExtra || !hasIndex {
		return errors.New("extra or index is missing")
	}
	entry, err := base64.StdEncoding.DecodeString(extra)
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(position, 10, 64)
	if err != nil {
		return err
	}
	var nodes tlog.RecordProof
	for _, line := range lines[3:] {
		node, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		nodes = append(nodes, node)
	}
	checkpoint, err := openCheckpoint(signed, logVkey)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	var verifiers []note.Verifier
	times := make(map[string]*cosigner)
	for _, vkey := range cosignerVkeys {
		one, err := parseCosigner(vkey)
		if err != nil {
			return fmt.Errorf("cosigner: %w", err)
		}
		verifiers, times[one.name] = append(verifiers, one), one
	}
	if len(verifiers) > 0 {
		opened, err := note.Open(signed, note.VerifierList(verifiers...))
		if err != nil {
			return fmt.Errorf("cosignatures: %w", err)
		}
		if len(opened.Sigs) != len(verifiers) {
			return fmt.Errorf("cosigned by %d of %d", len(opened.Sigs), len(verifiers))
		}
	}
	if err := tlog.CheckRecord(nodes, checkpoint.tree.N, checkpoint.tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return fmt.Errorf("inclusion: %w", err)
	}
	fmt.Printf("%d %d\n%s\n", index, checkpoint.tree.N, entry)
	for _, vkey := range cosignerVkeys {
		name, _, _ := strings.Cut(vkey, "+")
		fmt.Printf("%s %d\n", name, times[name].time)
	}
	return nil
}

// cosignNote adds the cosignature of a new key to a note, without looking at what it says.
func cosignNote(name, time string) error {
	content, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseUint(time, 10, 63)
	if err != nil {
		return err
	}
	public, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	encoded := append([]byte{algCosignature}, public...)
	one := &cosigner{name: name, hash: keyHash(name, encoded), secret: secret, time: seconds}
	text, _, found := strings.Cut(string(content), "\n\n")
	if !found {
		return errors.New("not a note")
	}
	signed, err := note.Sign(&note.Note{Text: text + "\n"}, one)
	if err != nil {
		return err
	}
	_, line, _ := strings.Cut(string(signed), "\n\n")
	fmt.Printf("%s+%08x+%s\n%s%s", name, one.hash, base64.StdEncoding.EncodeToString(encoded), content, line)
	return nil
}
