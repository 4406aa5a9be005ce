package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Strays finds the running processes whose program lies below folder, but for this one and those
// it descends from. A program deleted since still counts.
func Strays(folder string) ([]Process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	family := ancestors(os.Getpid())
	var strays []Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || family[pid] {
			continue
		}
		program, err := os.Readlink(filepath.Join("/proc", entry.Name(), "exe"))
		if err != nil || !strings.HasPrefix(program, folder+"/") {
			continue // a kernel thread, or ended meanwhile, or not ours
		}
		if it, err := find(pid); err == nil {
			strays = append(strays, it)
		}
	}
	return strays, nil
}

// ancestors holds pid and the processes it descends from.
func ancestors(pid int) map[int]bool {
	family := map[int]bool{}
	for pid > 1 && !family[pid] {
		family[pid] = true
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err != nil {
			break
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) < 2 {
			break
		}
		pid, _ = strconv.Atoi(fields[1])
	}
	return family
}
