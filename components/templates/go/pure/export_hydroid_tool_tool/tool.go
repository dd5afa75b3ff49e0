package export_hydroid_tool_tool

import (
	"fmt"
	"strings"

	tool "wit_component/hydroid_tool_tool"
)

const (
	name        = "word_count"
	description = "Counts the words of a text."
	schema      = `{"type": "object", "required": ["text"], "additionalProperties": false,
		"properties": {"text": {"type": "string", "description": "The text."}}}`
)

var hints = tool.Hints{ReadOnly: true, Idempotent: true}

type arguments struct {
	Text *string `json:"text"`
}

func (a arguments) whole() bool { return a.Text != nil }

func run(given arguments) (string, error) {
	words := len(strings.Fields(*given.Text))
	if words == 0 {
		return "", failed("there are no words in it; give a `text` with some")
	}
	return fmt.Sprintf("%d words", words), nil
}
