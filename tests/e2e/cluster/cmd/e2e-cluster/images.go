package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/actions-gateway/actions-gateway/tests/e2e/cluster/internal/image"
)

func imageVerb(shared *options) *cobra.Command {
	verb := &cobra.Command{Use: "image", Short: "Make container images, and load them into the nodes"}
	verb.AddCommand(packVerb(), loadVerb(shared))
	return verb
}

// packFlags are the flags as they were typed.
type packFlags struct {
	output, entrypoint                            string
	name                                          string
	user, workdir                                 string
	arguments, env, labels, files, folders, links []string
}

func packVerb() *cobra.Command {
	var flags packFlags
	verb := &cobra.Command{
		Use:   "pack -o FILE --name REF",
		Short: "Make an OCI archive from files; the same files give the same digest, which is printed",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if flags.output == "" {
				return errors.New("want -o FILE, the archive to write")
			}
			spec, err := flags.spec()
			if err != nil {
				return err
			}
			digest, err := image.Pack(spec, flags.output)
			if err == nil {
				fmt.Println(digest)
			}
			return err
		},
	}
	set := verb.Flags()
	set.StringVarP(&flags.output, "output", "o", "", "the archive to write")
	set.StringVar(&flags.name, "name", "", "the image's name: HOST/NAME:TAG")
	set.StringVar(&flags.entrypoint, "entrypoint", "", "path of the program to run")
	set.StringArrayVar(&flags.arguments, "arg", nil, "default argument of the entrypoint")
	set.StringVar(&flags.user, "user", "", "UID[:GID] to run as")
	set.StringArrayVar(&flags.env, "env", nil, "KEY=VALUE in the environment")
	set.StringVar(&flags.workdir, "workdir", "", "folder to run in")
	set.StringArrayVar(&flags.labels, "label", nil, "KEY=VALUE among the image's labels")
	set.StringArrayVar(&flags.files, "file", nil, "SOURCE:TARGET[:MODE[:UID[:GID]]], a file or a folder with all in it")
	set.StringArrayVar(&flags.folders, "dir", nil, "TARGET[:MODE[:UID[:GID]]], an empty folder")
	set.StringArrayVar(&flags.links, "link", nil, "PATH:TARGET, a symbolic link")
	return verb
}

// spec makes sense of the flags.
func (f *packFlags) spec() (image.Spec, error) {
	spec := image.Spec{Name: f.name, Args: f.arguments, User: f.user, Env: f.env, Workdir: f.workdir}
	if f.entrypoint != "" {
		spec.Entrypoint = []string{f.entrypoint}
	}
	for _, it := range f.labels {
		key, value, ok := strings.Cut(it, "=")
		if !ok {
			return spec, fmt.Errorf("label %q: want KEY=VALUE", it)
		}
		if spec.Labels == nil {
			spec.Labels = map[string]string{}
		}
		spec.Labels[key] = value
	}
	var err error
	if spec.Files, err = parseAll(f.files, image.ParseFile); err != nil {
		return spec, err
	}
	if spec.Folders, err = parseAll(f.folders, image.ParseFolder); err != nil {
		return spec, err
	}
	spec.Links, err = parseAll(f.links, image.ParseLink)
	return spec, err
}

func parseAll[T any](texts []string, parse func(string) (T, error)) ([]T, error) {
	var all []T
	for _, text := range texts {
		it, err := parse(text)
		if err != nil {
			return nil, err
		}
		all = append(all, it)
	}
	return all, nil
}

func loadVerb(shared *options) *cobra.Command {
	return &cobra.Command{
		Use:   "load FILE...",
		Short: "Load OCI archives into every node",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, archives []string) error {
			it, err := shared.cluster()
			if err != nil {
				return err
			}
			return it.LoadImages(archives)
		},
	}
}
