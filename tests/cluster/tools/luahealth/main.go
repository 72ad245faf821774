// Runs a health script of Argo CD over recorded objects, as Argo CD does: no library but the base and tables, one second, and a
// status that Argo CD knows. Takes folders that hold health.lua and health_test.yaml; says what differs and fails.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"
	"go.yaml.in/yaml/v3"
)

type health struct {
	Status  string `yaml:"status"`
	Message string `yaml:"message"`
}

type suite struct {
	Tests []struct {
		InputPath    string `yaml:"inputPath"`
		HealthStatus health `yaml:"healthStatus"`
	} `yaml:"tests"`
}

var statuses = []string{"Healthy", "Progressing", "Degraded", "Suspended"}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: luahealth FOLDER...")
		os.Exit(2)
	}
	failed := false
	for _, folder := range os.Args[1:] {
		wrong, passed, err := check(folder)
		if err != nil {
			wrong = append(wrong, err.Error())
		}
		for _, line := range wrong {
			fmt.Println(line)
		}
		fmt.Printf("%s: %d passed, %d failed\n", folder, passed, len(wrong))
		failed = failed || len(wrong) > 0
	}
	if failed {
		os.Exit(1)
	}
}

// check runs all tests of a folder. Every status has to come up, and every recorded object has to be used.
func check(folder string) (wrong []string, passed int, err error) {
	script, err := os.ReadFile(filepath.Join(folder, "health.lua"))
	if err != nil {
		return nil, 0, err
	}
	var tests suite
	if err := read(filepath.Join(folder, "health_test.yaml"), &tests); err != nil {
		return nil, 0, err
	}
	unseen := slices.Clone(statuses)
	unused, err := filepath.Glob(filepath.Join(folder, "testdata", "*.yaml"))
	if err != nil {
		return nil, 0, err
	}
	for _, test := range tests.Tests {
		path := filepath.Join(folder, test.InputPath)
		unused = slices.DeleteFunc(unused, func(other string) bool { return other == path })
		got, err := judge(string(script), path)
		unseen = slices.DeleteFunc(unseen, func(status string) bool { return status == got.Status })
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Sprintf("%s: %v", path, err))
		case got != test.HealthStatus:
			wrong = append(wrong, fmt.Sprintf("%s:\n  - %+v\n  + %+v", path, test.HealthStatus, got))
		default:
			passed++
		}
	}
	for _, status := range unseen {
		wrong = append(wrong, "no test ends in "+status)
	}
	for _, path := range unused {
		wrong = append(wrong, "no test uses "+path)
	}
	return wrong, passed, nil
}

// judge gives what the script says of the object in a file.
func judge(script, path string) (health, error) {
	var object map[string]any
	if err := read(path, &object); err != nil {
		return health{}, err
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return health{}, err
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", value(state, object))
	if err := state.DoString(script); err != nil {
		return health{}, err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return health{}, fmt.Errorf("the script returns a %s, not a table", state.Get(-1).Type())
	}
	answer := health{Status: lua.LVAsString(table.RawGetString("status")), Message: lua.LVAsString(table.RawGetString("message"))}
	if !slices.Contains(statuses, answer.Status) {
		return answer, fmt.Errorf("Argo CD knows no status %q", answer.Status)
	}
	return answer, nil
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// value turns what YAML holds into what Lua knows.
func value(state *lua.LState, from any) lua.LValue {
	switch it := from.(type) {
	case bool:
		return lua.LBool(it)
	case int:
		return lua.LNumber(it)
	case float64:
		return lua.LNumber(it)
	case string:
		return lua.LString(it)
	case time.Time:
		return lua.LString(it.Format(time.RFC3339))
	case []any:
		list := state.NewTable()
		for _, item := range it {
			list.Append(value(state, item))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for key, item := range it {
			table.RawSetString(key, value(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
