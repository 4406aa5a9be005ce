package image

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// ParseFile reads SOURCE:TARGET[:MODE[:UID[:GID]]].
func ParseFile(text string) (File, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 5 || parts[0] == "" || !strings.HasPrefix(parts[1], "/") {
		return File{}, fmt.Errorf("file %q: want SOURCE:/TARGET[:MODE[:UID[:GID]]]", text)
	}
	mode, owner, err := parseAttributes(parts[2:])
	if err != nil {
		return File{}, fmt.Errorf("file %q: %w", text, err)
	}
	return File{Source: parts[0], Target: parts[1], Mode: mode, Owner: owner}, nil
}

// ParseFolder reads TARGET[:MODE[:UID[:GID]]].
func ParseFolder(text string) (Folder, error) {
	parts := strings.Split(text, ":")
	if len(parts) > 4 || !strings.HasPrefix(parts[0], "/") {
		return Folder{}, fmt.Errorf("folder %q: want /TARGET[:MODE[:UID[:GID]]]", text)
	}
	mode, owner, err := parseAttributes(parts[1:])
	if err != nil {
		return Folder{}, fmt.Errorf("folder %q: %w", text, err)
	}
	folder := Folder{Target: parts[0], Mode: 0o755, Owner: owner}
	if mode != nil {
		folder.Mode = *mode
	}
	return folder, nil
}

// ParseLink reads PATH:TARGET.
func ParseLink(text string) (Link, error) {
	path, target, ok := strings.Cut(text, ":")
	if !ok || !strings.HasPrefix(path, "/") || target == "" {
		return Link{}, fmt.Errorf("link %q: want /PATH:TARGET", text)
	}
	return Link{path, target}, nil
}

// parseAttributes reads MODE, UID and GID, of which the last may be left out; an empty MODE is none.
// Without a GID the group has the user's number.
func parseAttributes(parts []string) (*fs.FileMode, Owner, error) {
	var mode *fs.FileMode
	var owner Owner
	if len(parts) > 0 && parts[0] != "" {
		bits, err := strconv.ParseUint(parts[0], 8, 12)
		if err != nil {
			return nil, owner, fmt.Errorf("mode %q: want up to four octal digits", parts[0])
		}
		parsed := goMode(uint32(bits))
		mode = &parsed
	}
	for i, into := range []*int{&owner.UID, &owner.GID} {
		if len(parts) < i+2 {
			break
		}
		number, err := strconv.ParseUint(parts[i+1], 10, 31)
		if err != nil {
			return nil, owner, fmt.Errorf("owner %q: want a number", parts[i+1])
		}
		*into = int(number)
	}
	if len(parts) == 2 {
		owner.GID = owner.UID
	}
	return mode, owner, nil
}
