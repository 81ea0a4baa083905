// Command interop reads a log's folder with golang.org/x/mod/sumdb, which shares nothing with the
// implementation under test, and says whether it agrees.
//
//	interop check FOLDER LOG-VKEY [OLD-CHECKPOINT]
//	interop sign NAME < TEXT
//	interop proof LOG-VKEY [COSIGNER-VKEY ...] < TLOG-PROOF
//	interop cosign NAME SECONDS < CHECKPOINT
//
// The first verifies the checkpoint, the inclusion of every entry, the consistency of every size up
// to the present one, and the entries against the tiles. On stdout: origin, size, root, and a hash
// over all those proofs. The second signs a note with a new key. On stdout: the vkey, and the note.
// The third verifies a log proof, and that every cosigner who is named signed its checkpoint. On
// stdout: index and size, the entry, and the time of each cosigner. The fourth cosigns a checkpoint
// with a new key. On stdout: the vkey, and the note with one line more.
package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

// checkpoint is the text of a note as https://c2sp.org/tlog-checkpoint has it.
type checkpoint struct {
	origin string
	tree   tlog.Tree
}

func openCheckpoint(content []byte, vkey string) (checkpoint, error) {
	var head checkpoint
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return head, err
	}
	opened, err := note.Open(content, note.VerifierList(verifier))
	if err != nil {
		return head, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != verifier.Name() {
		return head, errors.New("the note is no checkpoint of this log")
	}
	head.origin = lines[0]
	if head.tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return head, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return head, errors.New("the root is no hash")
	}
	copy(head.tree.Hash[:], root)
	return head, nil
}

// tiles reads tiles as https://c2sp.org/tlog-tiles names them: without the height that sumdb puts
// into the path.
type tiles struct{ folder string }

func (t tiles) Height() int { return tileHeight }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var contents [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
		content, err := os.ReadFile(filepath.Join(t.folder, path))
		if err != nil {
			return nil, err
		}
		contents = append(contents, content)
	}
	return contents, nil
}

func readEntries(folder string, size int64) ([][]byte, error) {
	var entries [][]byte
	for n := int64(0); n<<tileHeight < size; n++ {
		tile := tlog.Tile{H: tileHeight, L: -1, N: n, W: int(min(size-n<<tileHeight, 1<<tileHeight))}
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/data/", tileHeight), "tile/entries/", 1)
		content, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return nil, err
		}
		for len(content) > 0 {
			if len(content) < 2 || len(content)-2 < int(binary.BigEndian.Uint16(content)) {
				return nil, fmt.Errorf("%s is cut short", path)
			}
			end := 2 + int(binary.BigEndian.Uint16(content))
			entries, content = append(entries, content[2:end]), content[end:]
		}
	}
	return entries, nil
}

func check(folder, vkey, oldPath string) error {
	content, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return err
	}
	head, err := openCheckpoint(content, vkey)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	size, root := head.tree.N, head.tree.Hash
	entries, err := readEntries(folder, size)
	if err != nil {
		return fmt.Errorf("entries: %w", err)
	}
	if int64(len(entries)) != size {
		return fmt.Errorf("%d entries, the checkpoint has %d", len(entries), size)
	}
	// It compares each tile that it reads with the root.
	hashes := tlog.TileHashReader(head.tree, tiles{folder})
	all := sha256.New()
	for i := int64(0); i < size; i++ {
		proof, err := tlog.ProveRecord(size, i, hashes)
		if err != nil {
			return fmt.Errorf("inclusion of %d: %w", i, err)
		}
		if err := tlog.CheckRecord(proof, size, root, i, tlog.RecordHash(entries[i])); err != nil {
			return fmt.Errorf("inclusion of %d: %w", i, err)
		}
		for _, node := range proof {
			all.Write(node[:])
		}
	}
	for old := int64(1); old <= size; old++ {
		oldRoot, err := tlog.TreeHash(old, hashes)
		if err != nil {
			return fmt.Errorf("root of %d: %w", old, err)
		}
		proof, err := tlog.ProveTree(size, old, hashes)
		if err != nil {
			return fmt.Errorf("consistency from %d: %w", old, err)
		}
		if err := tlog.CheckTree(proof, size, root, old, oldRoot); err != nil {
			return fmt.Errorf("consistency from %d: %w", old, err)
		}
		for _, node := range proof {
			all.Write(node[:])
		}
	}
	if oldPath != "" {
		content, err := os.ReadFile(oldPath)
		if err != nil {
			return err
		}
		old, err := openCheckpoint(content, vkey)
		if err != nil {
			return fmt.Errorf("old checkpoint: %w", err)
		}
		proof, err := tlog.ProveTree(size, old.tree.N, hashes)
		if err != nil {
			return fmt.Errorf("old checkpoint: %w", err)
		}
		if err := tlog.CheckTree(proof, size, root, old.tree.N, old.tree.Hash); err != nil {
			return fmt.Errorf("old checkpoint: %w", err)
		}
	}
	fmt.Printf("%s %d %x %x\n", head.origin, size, root[:], all.Sum(nil))
	return nil
}

func sign(name string) error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: string(text)}, signer)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%s", vkey, signed)
	return nil
}

func main() {
	err := errors.New("usage: interop check|sign|proof|cosign ...")
	switch args := os.Args[1:]; {
	case len(args) >= 2 && args[0] == "proof":
		err = proof(args[1], args[2:])
	case len(args) == 3 && args[0] == "cosign":
		err = cosignNote(args[1], args[2])
	case len(args) == 2 && args[0] == "sign":
		err = sign(args[1])
	case len(args) == 3 && args[0] == "check":
		err = check(args[1], args[2], "")
	case len(args) == 4 && args[0] == "check":
		err = check(args[1], args[2], args[3])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
