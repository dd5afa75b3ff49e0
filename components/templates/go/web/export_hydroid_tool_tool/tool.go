package export_hydroid_tool_tool

import (
	"fmt"
	"strings"

	types "go.bytecodealliance.org/pkg/wit/types"

	secrets "wit_component/hydroid_cap_secrets"
	web "wit_component/hydroid_cap_web"
	tool "wit_component/hydroid_tool_tool"
)

const (
	name        = "page_title"
	description = "Says the title of a web page."
	schema      = `{"type": "object", "required": ["url"], "additionalProperties": false,
		"properties": {"url": {"type": "string", "format": "uri",
		"description": "The address, for example ` + "`https://example.com/`" + `."}}}`
	// Most bytes of a page that are looked through for its title.
	most = 256 << 10
)

var hints = tool.Hints{ReadOnly: true, Idempotent: true, OpenWorld: true}

type arguments struct {
	Url *string `json:"url"`
}

func (a arguments) whole() bool { return a.Url != nil }

func run(given arguments) (string, error) {
	request := web.Request{Method: "GET", Url: *given.Url, TimeoutMs: types.None[uint32]()}
	answer := web.Fetch(request, types.None[types.Tuple2[*secrets.Secret, web.Attach]]())
	if answer.Tag() == types.ResultErr {
		return "", refused(answer.Err())
	}
	response := answer.Ok()
	defer response.Drop()
	if status := response.Status(); status != 200 {
		return "", failed(fmt.Sprintf("the page answered %d; try another address", status))
	}
	var page strings.Builder
	for page.Len() < most {
		piece := response.Read(65536)
		if piece.Tag() == types.ResultErr {
			return "", refused(piece.Err())
		}
		bytes := piece.Ok()
		if bytes.Tag() == types.OptionNone {
			break
		}
		page.Write(bytes.Some())
	}
	_, rest, found := strings.Cut(page.String(), "<title>")
	title, _, closed := strings.Cut(rest, "</title>")
	if !found || !closed {
		return "", failed("the page has no title; try another address")
	}
	return strings.TrimSpace(title), nil
}
