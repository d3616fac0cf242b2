package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"flametree/actors"
	"flametree/engine/agent/bundle"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/wizard"
)

// The bodies of the commands about agents; the command line sends them.
type (
	// SaveBody is an agent file. Folder is where it stands, for what it names.
	SaveBody struct {
		Agent  string `json:"agent"` // id, alias or name; "" = by the file's name
		Name   string `json:"name"`  // of the file, for messages
		Folder string `json:"folder"`
		File   string `json:"file"`
	}
	// ChangeBody is a change of an agent that is there.
	ChangeBody struct {
		Publish uint64 `json:"publish,omitempty"`
		Restore uint64 `json:"restore,omitempty"`
		Run     *bool  `json:"run,omitempty"`
	}
	// ExportBody are the options of the export dialog.
	ExportBody struct {
		RemoveSensitive, ForceSkills, ForceKnowledge, ForceIntegrations bool
	}
	// Exported is an export with the key that is shown once.
	Exported struct {
		Key     string `json:"key"`
		Archive []byte `json:"archive"`
	}
	// ImportBody is an export to be opened.
	ImportBody struct {
		Key     string `json:"key"`
		Archive []byte `json:"archive"`
		Apply   bool   `json:"apply"`
	}
	// Imported is what an import changes, and what it made if it was applied.
	Imported struct {
		Agent   string       `json:"agent"`
		Steps   []event.Pair `json:"steps"` // part and what is done with it
		Reenter []string     `json:"reenter"`
		Notes   []string     `json:"notes"`
		Kept    Kept         `json:"kept"`
	}
	// CopyBody overrides keys of the copied file.
	CopyBody struct {
		Set []event.Pair `json:"set"`
	}
	// WizardBody are the answers to a wizard.
	WizardBody struct {
		Template wizard.Template `json:"template"`
		Answers  wizard.Answers  `json:"answers"`
		Folder   string          `json:"folder"`
	}
)

// maxAdmin bounds a command's body: an export and its encoding.
const maxAdmin = 100 << 20

func (a *admin) agentRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /agents", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.node.AgentList(), nil) })
	mux.HandleFunc("GET /models", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.node.casting.models.health(), nil) })
	mux.HandleFunc("GET /agents/{agent}", func(w http.ResponseWriter, r *http.Request) {
		v, err := a.node.AgentShow(r.Context(), r.PathValue("agent"))
		answer(w, v, err)
	})
	mux.HandleFunc("GET /agents/{agent}/diff", func(w http.ResponseWriter, r *http.Request) {
		from, errA := strconv.ParseUint(r.URL.Query().Get("from"), 10, 64)
		to, errB := strconv.ParseUint(r.URL.Query().Get("to"), 10, 64)
		if err := errors.Join(errA, errB); err != nil {
			answer(w, nil, fmt.Errorf("revisions are numbers: %w: %w", fault.Invalid, err))
			return
		}
		v, err := a.node.AgentDiff(r.Context(), r.PathValue("agent"), from, to)
		answer(w, v, err)
	})
	mux.HandleFunc("POST /agents", body(func(r *http.Request, b SaveBody) (any, error) {
		return a.node.AgentSave(r.Context(), b.Agent, AgentFile{Name: b.Name, Folder: b.Folder, Text: []byte(b.File)})
	}))
	mux.HandleFunc("POST /agents/{agent}/change", body(func(r *http.Request, b ChangeBody) (any, error) {
		return a.node.AgentChange(r.Context(), r.PathValue("agent"), &actors.Configure{
			Publish: b.Publish, Restore: b.Restore, Run: b.Run, Reason: "stopped by command",
		})
	}))
	mux.HandleFunc("POST /agents/{agent}/export", body(func(r *http.Request, b ExportBody) (any, error) {
		key, sealed, err := a.node.AgentExport(r.Context(), r.PathValue("agent"), bundle.Options{
			RemoveSensitive: b.RemoveSensitive, ForceSkills: b.ForceSkills, ForceKnowledge: b.ForceKnowledge, ForceIntegrations: b.ForceIntegrations,
		})
		return Exported{Key: key, Archive: sealed}, err
	}))
	mux.HandleFunc("POST /import", body(func(r *http.Request, b ImportBody) (any, error) {
		plan, kept, err := a.node.AgentImport(r.Context(), b.Key, b.Archive, b.Apply)
		out := Imported{Agent: plan.Agent, Reenter: plan.Reenter, Notes: plan.Notes, Kept: kept}
		for _, s := range plan.Steps {
			out.Steps = append(out.Steps, event.Pair{Key: string(s.Part.Kind) + " " + s.Part.Name, Value: string(s.Action)})
		}
		return out, err
	}))
	mux.HandleFunc("POST /agents/{agent}/copy", body(func(r *http.Request, b CopyBody) (any, error) {
		return a.node.AgentCopy(r.Context(), r.PathValue("agent"), b.Set)
	}))
	mux.HandleFunc("POST /wizard", body(func(r *http.Request, b WizardBody) (any, error) {
		return a.node.AgentWizard(r.Context(), b.Template, b.Answers, b.Folder)
	}))
}

// body reads a command's body and answers with what it came to.
func body[B any](do func(*http.Request, B) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var b B
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdmin)).Decode(&b); err != nil {
			answer(w, nil, fmt.Errorf("the command's body: %w: %w", fault.Invalid, err))
			return
		}
		v, err := do(r, b)
		answer(w, v, err)
	}
}
