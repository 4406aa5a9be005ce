package image

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Owner is a user and a group by number.
type Owner struct{ UID, GID int }

// File puts a file of this machine, or a folder with all in it, into the image.
type File struct {
	Source, Target string
	// Mode of a file; nil takes it from the source, as do all files in a folder.
	Mode  *fs.FileMode
	Owner Owner
}

// Folder makes a folder in the image.
type Folder struct {
	Target string
	Mode   fs.FileMode
	Owner  Owner
}

// Link makes a symbolic link in the image.
type Link struct{ Path, Target string }

// entry is one line of the layer; what it holds is read when it is written.
type entry struct {
	header tar.Header
	source string
}

// entries lists what is in the layer, sorted by path, with every folder that is needed.
func (s Spec) entries() ([]entry, error) {
	found := map[string]entry{}
	for _, it := range s.Folders {
		add(found, tar.Header{Typeflag: tar.TypeDir, Mode: unixMode(it.Mode), Uid: it.Owner.UID, Gid: it.Owner.GID}, it.Target, "")
	}
	for _, it := range s.Links {
		add(found, tar.Header{Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: it.Target}, it.Path, "")
	}
	for _, it := range s.Files {
		if err := addSource(found, it); err != nil {
			return nil, err
		}
	}
	for name := range found {
		for parent := path.Dir(strings.TrimSuffix(name, "/")); parent != "."; parent = path.Dir(parent) {
			if _, ok := found[parent+"/"]; !ok {
				add(found, tar.Header{Typeflag: tar.TypeDir, Mode: 0o755}, parent, "")
			}
		}
	}
	sorted := make([]entry, 0, len(found))
	for _, it := range found {
		sorted = append(sorted, it)
	}
	slices.SortFunc(sorted, func(a, b entry) int { return strings.Compare(a.header.Name, b.header.Name) })
	return sorted, nil
}

func add(to map[string]entry, header tar.Header, target, source string) {
	header.Name = strings.TrimPrefix(path.Clean("/"+target), "/")
	if header.Typeflag == tar.TypeDir {
		header.Name += "/"
	}
	header.Format = tar.FormatPAX // takes long names; the times stay zero
	to[header.Name] = entry{header, source}
}

func addSource(to map[string]entry, file File) error {
	err := filepath.WalkDir(file.Source, func(source string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(file.Source, source)
		if err != nil {
			return err
		}
		info, err := os.Lstat(source)
		if source == file.Source {
			info, err = os.Stat(source) // the user may name a file by a link to it
		}
		if err != nil {
			return err
		}
		return addOne(to, file, source, path.Join(file.Target, filepath.ToSlash(inside)), info)
	})
	if err != nil {
		return fmt.Errorf("failed to take %s into the image: %w", file.Source, err)
	}
	return nil
}

func addOne(to map[string]entry, file File, source, target string, info fs.FileInfo) error {
	header := tar.Header{Mode: unixMode(info.Mode()), Uid: file.Owner.UID, Gid: file.Owner.GID}
	if file.Mode != nil && source == file.Source {
		header.Mode = unixMode(*file.Mode)
	}
	switch {
	case info.IsDir():
		header.Typeflag = tar.TypeDir
		source = ""
	case info.Mode().IsRegular():
		header.Typeflag = tar.TypeReg
		header.Size = info.Size()
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := os.Readlink(source)
		if err != nil {
			return err
		}
		header.Typeflag, header.Linkname = tar.TypeSymlink, link
		source = ""
	default:
		return fmt.Errorf("%s is neither file, folder nor link", source)
	}
	add(to, header, target, source)
	return nil
}

// writeLayer writes the layer as a tar.
func writeLayer(to io.Writer, entries []entry) error {
	archive := tar.NewWriter(to)
	for _, it := range entries {
		if err := archive.WriteHeader(&it.header); err != nil {
			return fmt.Errorf("%s: %w", it.header.Name, err)
		}
		if it.source == "" {
			continue
		}
		if err := copyFile(archive, it.source); err != nil {
			return err
		}
	}
	return archive.Close()
}

func copyFile(to io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.Copy(to, file); err != nil {
		return fmt.Errorf("failed to copy %s: %w", path, err)
	}
	return nil
}

// unixMode is a file's mode in the bits of a tar.
func unixMode(mode fs.FileMode) int64 {
	bits := int64(mode.Perm())
	for flag, bit := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&flag != 0 {
			bits |= bit
		}
	}
	return bits
}

// goMode is the reverse: what a person types, such as 1777.
func goMode(bits uint32) fs.FileMode {
	mode := fs.FileMode(bits & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if bits&bit != 0 {
			mode |= flag
		}
	}
	return mode
}
