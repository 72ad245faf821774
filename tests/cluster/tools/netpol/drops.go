// What was dropped, said in the log by the names of the pods: a test that waits for an answer in vain can read there why.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os/exec"
)

// drop is what packets that were dropped have in common.
type drop struct {
	direction        direction
	from, to         string
	protocol, number string
}

func (a *agent) logDrops() {
	if len(a.guards) == 0 {
		return
	}
	names := map[string]string{}
	if c, complete := a.watches.snapshot(); complete {
		for _, each := range a.withSandboxes(c).pods {
			if each.address.IsValid() {
				names[each.address.String()] = each.String() + " "
			}
		}
	}
	for _, way := range []direction{ingress, egress} {
		output, err := exec.Command("nft", "--json", "list", "set", "inet", "ragline-netpol", "dropped-"+string(way)).Output()
		if err != nil {
			log.Printf("error: reading what was dropped: %v", err)
			return
		}
		counted, err := parseDrops(way, output)
		if err != nil {
			log.Printf("error: reading what was dropped: %v", err)
			return
		}
		for key, packets := range counted {
			if more := packets - min(a.dropped[key], packets); more > 0 {
				log.Printf("dropped %d: %s of %s(%s) -> %s(%s) %s %s", more, way, names[key.from], key.from, names[key.to], key.to,
					key.protocol, key.number)
			}
		}
		for key := range a.dropped {
			if _, still := counted[key]; key.direction == way && !still {
				delete(a.dropped, key)
			}
		}
		for key, packets := range counted {
			a.dropped[key] = packets
		}
	}
}

// parseDrops reads nft's JSON: elements of four parts, each with a counter.
func parseDrops(way direction, text []byte) (map[drop]uint64, error) {
	var listing struct {
		Nftables []struct {
			Set struct {
				Elements []struct {
					Element struct {
						Value struct {
							Parts []any `json:"concat"`
						} `json:"val"`
						Counter struct {
							Packets uint64 `json:"packets"`
						} `json:"counter"`
					} `json:"elem"`
				} `json:"elem"`
			} `json:"set"`
		} `json:"nftables"`
	}
	if err := json.Unmarshal(text, &listing); err != nil {
		return nil, err
	}
	result := map[drop]uint64{}
	for _, item := range listing.Nftables {
		for _, each := range item.Set.Elements {
			parts := each.Element.Value.Parts
			if len(parts) != 4 {
				return nil, fmt.Errorf("an element of %d parts", len(parts))
			}
			key := drop{way, fmt.Sprint(parts[0]), fmt.Sprint(parts[1]), fmt.Sprint(parts[2]), fmt.Sprint(parts[3])}
			result[key] += each.Element.Counter.Packets
		}
	}
	return result, nil
}
