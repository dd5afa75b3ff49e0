// Package export_hydroid_tool_tool is the export of this component; tool.go says what it is for.
package export_hydroid_tool_tool

import (
	"bytes"
	"encoding/json"

	types "go.bytecodealliance.org/pkg/wit/types"

	core "wit_component/hydroid_core_types"
	tool "wit_component/hydroid_tool_tool"
)

// failed is a tool that ran and failed; the model reads the sentence and may try otherwise.
type failed string

func (f failed) Error() string { return string(f) }

// refused is an error of the host, which is something the model can act on.
type refused core.Error

func (r refused) Error() string { return r.Message }

// Definitions are the tools of this component.
func Definitions() types.Result[[]tool.Definition, core.Error] {
	none := types.None[string]()
	return types.Ok[[]tool.Definition, core.Error]([]tool.Definition{{
		Name: name, Title: none, Description: description, InputSchema: schema,
		OutputSchema: none, Hints: hints, OptionsJson: none,
	}})
}

// Invoke runs one tool.
func Invoke(call tool.Call) types.Result[tool.Outcome, core.Error] {
	if call.Name != name {
		return refuse(core.ErrorKind_NotFound, "no such tool here")
	}
	var given arguments
	decoder := json.NewDecoder(bytes.NewReader([]byte(call.ArgsJson)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&given); err != nil || decoder.More() || !given.whole() {
		return refuse(core.ErrorKind_InvalidInput, "the arguments do not fit the schema")
	}
	text, err := run(given)
	if host, ok := err.(refused); ok && host.Kind == core.ErrorKind_Cancelled {
		return types.Err[tool.Outcome, core.Error](core.Error(host))
	}
	if err != nil {
		text = err.Error()
	}
	return types.Ok[tool.Outcome, core.Error](tool.Outcome{
		Content:        []core.Part{core.MakePartText(text)},
		StructuredJson: types.None[string](),
		IsError:        err != nil,
		OptionsJson:    types.None[string](),
	})
}

func refuse(kind core.ErrorKind, message string) types.Result[tool.Outcome, core.Error] {
	return types.Err[tool.Outcome, core.Error](core.Error{
		Kind: kind, Message: message, Code: types.None[string](),
		RetryAfterMs: types.None[uint32](), Sent: false, DetailsJson: types.None[string](),
	})
}
