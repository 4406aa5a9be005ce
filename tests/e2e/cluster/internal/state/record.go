package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Record is what a cluster remembers about itself between two calls of the program.
type Record struct {
	Name  string `json:"name"`
	Nodes int    `json:"nodes"`
	// LocalPort is the port on 127.0.0.1 that leads to the API server.
	LocalPort int `json:"localPort"`
	// Complete is set once everything has been seen to work.
	Complete bool `json:"complete"`
}

// ErrNoCluster says that there is no cluster of that name.
var ErrNoCluster = errors.New("there is no such cluster")

// Load reads the cluster's record.
func (d Dir) Load() (Record, error) {
	var record Record
	err := ReadJSON(d.Path("cluster.json"), &record)
	if errors.Is(err, fs.ErrNotExist) {
		return record, fmt.Errorf("%w: nothing in %s", ErrNoCluster, d)
	}
	return record, err
}

// Save writes the cluster's record.
func (d Dir) Save(record Record) error { return WriteJSON(d.Path("cluster.json"), record) }

// ReadJSON decodes a file.
func ReadJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// WriteJSON replaces a file in one step, so that a reader sees the old or the new.
func WriteJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".next-*")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name()) // gone already when all went well
	_, err = next.Write(append(text, '\n'))
	if err := errors.Join(err, next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}
