package netpol

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"sigs.k8s.io/knftables"
)

// table is the nftables table that holds the rules, and remembers what was last put in it.
type table struct {
	nft     knftables.Interface
	present []chain // nil: unknown, as at the start and after an error
}

// replace puts the chains in the place of those present, all in one transaction.
func (t *table) replace(ctx context.Context, chains []chain) error {
	if reflect.DeepEqual(chains, t.present) {
		return nil
	}
	if err := t.nft.Run(ctx, t.transaction(chains)); err != nil {
		t.present = nil
		return fmt.Errorf("failed to set packet filter rules: %w", err)
	}
	t.present = chains
	return nil
}

func (t *table) transaction(chains []chain) *knftables.Transaction {
	tx := t.nft.NewTransaction()
	if t.present == nil {
		tx.Destroy(&knftables.Table{})
	}
	tx.Add(&knftables.Table{Comment: knftables.PtrTo("NetworkPolicy")})
	for _, it := range chains {
		tx.Add(definition(it.name))
	}
	for _, it := range chains {
		tx.Flush(&knftables.Chain{Name: it.name})
	}
	// only now does nothing lead to the chains that are no longer needed
	for _, it := range t.present {
		if !slices.ContainsFunc(chains, func(kept chain) bool { return kept.name == it.name }) {
			tx.Flush(&knftables.Chain{Name: it.name})
			tx.Delete(&knftables.Chain{Name: it.name})
		}
	}
	for _, it := range chains {
		for _, rule := range it.rules {
			added := &knftables.Rule{Chain: it.name, Rule: rule.text}
			if rule.comment != "" {
				added.Comment = &rule.comment
			}
			tx.Add(added)
		}
	}
	return tx
}

// definition says where in a packet's way a chain stands.
//
// Egress is judged as soon as kube-proxy has put an endpoint in the place of a Service: the source
// is still the pod, and packets to the node itself pass here too. Ingress is judged when forwarding,
// which what the node itself sends to its pods (probes) doesn't pass.
func definition(name string) *knftables.Chain {
	switch name {
	case egress.base:
		return &knftables.Chain{
			Name:     name,
			Type:     knftables.PtrTo(knftables.FilterType),
			Hook:     knftables.PtrTo(knftables.PreroutingHook),
			Priority: knftables.PtrTo(knftables.DNATPriority + "+5"),
		}
	case ingress.base:
		return &knftables.Chain{
			Name:     name,
			Type:     knftables.PtrTo(knftables.FilterType),
			Hook:     knftables.PtrTo(knftables.ForwardHook),
			Priority: knftables.PtrTo(knftables.FilterPriority),
		}
	default:
		return &knftables.Chain{Name: name}
	}
}
