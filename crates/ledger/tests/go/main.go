// Command sumdbcheck verifies a log directory with the Go checksum database's own packages.
//
// It shares no code with the log's writer: the note, the tiles and the proofs are read by
// golang.org/x/mod/sumdb. Arguments: the log directory, the log's verifier key, the number of
// leaves expected, and the sizes of older trees to prove consistent.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

// directory reads tiles at the paths of c2sp.org/tlog-tiles, which leave out the height.
type directory struct {
	root  string
	cache map[tlog.Tile][]byte
}

func (d directory) Height() int { return tileHeight }

func (d directory) SaveTiles([]tlog.Tile, [][]byte) {}

func (d directory) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		if _, known := d.cache[tile]; !known {
			data, err := os.ReadFile(filepath.Join(d.root, tilePath(tile)))
			if err != nil {
				return nil, err
			}
			d.cache[tile] = data
		}
		all = append(all, d.cache[tile])
	}
	return all, nil
}

func tilePath(tile tlog.Tile) string {
	path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
	return strings.Replace(path, "tile/data/", "tile/entries/", 1)
}

func openCheckpoint(root, vkey string) (tlog.Tree, error) {
	var tree tlog.Tree
	data, err := os.ReadFile(filepath.Join(root, "checkpoint"))
	if err != nil {
		return tree, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("checkpoint text %q", opened.Text)
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

// entries reads the bundles and checks that they hold exactly the tree's leaves.
func entries(root string, size int64) ([][]byte, error) {
	var leaves [][]byte
	for first := int64(0); first < size; first += 1 << tileHeight {
		width := min(size-first, 1<<tileHeight)
		tile := tlog.Tile{H: tileHeight, L: -1, N: first >> tileHeight, W: int(width)}
		data, err := os.ReadFile(filepath.Join(root, tilePath(tile)))
		if err != nil {
			return nil, err
		}
		for range width {
			if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("%s is cut off", tilePath(tile))
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			leaves, data = append(leaves, data[2:end]), data[end:]
		}
		if len(data) > 0 {
			return nil, fmt.Errorf("%s goes on after its entries", tilePath(tile))
		}
	}
	return leaves, nil
}

func check(root, vkey, size string, olds []string) error {
	tree, err := openCheckpoint(root, vkey)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if strconv.FormatInt(tree.N, 10) != size {
		return fmt.Errorf("checkpoint of size %d, expected %s", tree.N, size)
	}
	leaves, err := entries(root, tree.N)
	if err != nil {
		return fmt.Errorf("entries: %w", err)
	}
	// Authenticates each tile that it reads against the signed root.
	reader := tlog.TileHashReader(tree, directory{root, map[tlog.Tile][]byte{}})
	if err := checkTiles(leaves, reader); err != nil {
		return err
	}
	if err := checkInclusion(tree, leaves, reader); err != nil {
		return err
	}
	return checkConsistency(tree, leaves, reader, olds)
}

// checkTiles compares the hash of every leaf with the one in its tile.
func checkTiles(leaves [][]byte, reader tlog.HashReader) error {
	for first := 0; first < len(leaves); first += 1 << tileHeight {
		var indexes []int64
		for number := first; number < min(len(leaves), first+1<<tileHeight); number++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, int64(number)))
		}
		stored, err := reader.ReadHashes(indexes)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", first, err)
		}
		for offset, hash := range stored {
			if hash != tlog.RecordHash(leaves[first+offset]) {
				return fmt.Errorf("leaf %d: the tile has another hash", first+offset)
			}
		}
	}
	return nil
}

// checkInclusion proves every leaf; of a long log, one in a hundred and the last.
func checkInclusion(tree tlog.Tree, leaves [][]byte, reader tlog.HashReader) error {
	for number, leaf := range leaves {
		if len(leaves) > 1000 && number%100 != 0 && number != len(leaves)-1 {
			continue
		}
		proof, err := tlog.ProveRecord(tree.N, int64(number), reader)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", number, err)
		}
		err = tlog.CheckRecord(proof, tree.N, tree.Hash, int64(number), tlog.RecordHash(leaf))
		if err != nil {
			return fmt.Errorf("leaf %d: %w", number, err)
		}
	}
	return nil
}

func checkConsistency(tree tlog.Tree, leaves [][]byte, reader tlog.HashReader, olds []string) error {
	for _, old := range olds {
		size, err := strconv.ParseInt(old, 10, 64)
		if err != nil {
			return err
		}
		root, err := rootOf(leaves[:size])
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(tree.N, size, reader)
		if err != nil {
			return fmt.Errorf("consistency from %d: %w", size, err)
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, size, root); err != nil {
			return fmt.Errorf("consistency from %d: %w", size, err)
		}
	}
	return nil
}

// rootOf computes a root from leaves alone.
func rootOf(leaves [][]byte) (tlog.Hash, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, index := range indexes {
			hashes = append(hashes, stored[index])
		}
		return hashes, nil
	})
	for number, leaf := range leaves {
		hashes, err := tlog.StoredHashes(int64(number), leaf, reader)
		if err != nil {
			return tlog.Hash{}, err
		}
		stored = append(stored, hashes...)
	}
	return tlog.TreeHash(int64(len(leaves)), reader)
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: sumdbcheck DIRECTORY VKEY SIZE [OLD-SIZE]")
	}
	return check(args[0], args[1], args[2], args[3:])
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("verified")
}
