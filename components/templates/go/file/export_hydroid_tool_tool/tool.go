package export_hydroid_tool_tool

import (
	"fmt"
	"strings"

	types "go.bytecodealliance.org/pkg/wit/types"

	files "wit_component/hydroid_cap_fs_read"
	tool "wit_component/hydroid_tool_tool"
)

const (
	name        = "file_word_count"
	description = "Counts the words of a text file."
	schema      = `{"type": "object", "required": ["path"], "additionalProperties": false,
		"properties": {"path": {"type": "string", "format": "path",
		"description": "The file, for example ` + "`/shared/notes.md`" + `."}}}`
	// Most bytes of a file that are looked at.
	most = 1 << 20
)

var hints = tool.Hints{ReadOnly: true, Idempotent: true}

type arguments struct {
	Path *string `json:"path"`
}

func (a arguments) whole() bool { return a.Path != nil }

func run(given arguments) (string, error) {
	content := files.Read(*given.Path, 0, most)
	if content.Tag() == types.ResultErr {
		return "", refused(content.Err())
	}
	return fmt.Sprintf("%d words", len(strings.Fields(string(content.Ok())))), nil
}
