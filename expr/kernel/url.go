package kernel

import "bytes"

// url is a URL taken apart; nil is what it does not have.
type url struct {
	protocol, authority, userInfo, host, path, query, ref []byte
}

// parseURL takes apart what Java's URL takes: of the protocols that it knows.
func parseURL(p []byte) (url, bool) {
	p = bytes.TrimFunc(p, func(r rune) bool { return r <= ' ' })
	protocol, rest, ok := bytes.Cut(p, []byte(":"))
	if !ok {
		return url{}, false
	}
	u := url{protocol: bytes.ToLower(protocol), host: []byte{}}
	switch string(u.protocol) {
	case "http", "https", "ftp", "file":
	default:
		return url{}, false
	}
	if at := bytes.IndexByte(rest, '#'); at >= 0 {
		rest, u.ref = rest[:at], rest[at+1:]
	}
	if at := bytes.IndexByte(rest, '?'); at >= 0 {
		rest, u.query = rest[:at], rest[at+1:]
	}
	if after, ok := bytes.CutPrefix(rest, []byte("//")); ok {
		end := bytes.IndexByte(after, '/')
		if end < 0 {
			end = len(after)
		}
		u.authority, rest = after[:end], after[end:]
		ok = u.hostOf()
		if !ok {
			return url{}, false
		}
	}
	u.path = rest
	return u, true
}

// hostOf takes the authority apart; false for a port that is none.
func (u *url) hostOf() bool {
	u.host = u.authority
	if at := bytes.LastIndexByte(u.host, '@'); at >= 0 {
		u.userInfo, u.host = u.host[:at], u.host[at+1:]
	}
	end := len(u.host)
	if bytes.HasPrefix(u.host, []byte("[")) {
		if end = bytes.IndexByte(u.host, ']') + 1; end == 0 {
			return false
		}
	} else if at := bytes.IndexByte(u.host, ':'); at >= 0 {
		end = at
	}
	port, ok := bytes.CutPrefix(u.host[end:], []byte(":"))
	u.host = u.host[:end]
	for _, c := range port {
		ok = ok && digit(c)
	}
	return ok || len(port) == 0
}

// part returns the part of a name, nil for one that it does not have.
func (u *url) part(name string, dst []byte) []byte {
	switch name {
	case "HOST":
		return u.host
	case "PATH":
		return u.path
	case "QUERY":
		return u.query
	case "REF":
		return u.ref
	case "PROTOCOL":
		return u.protocol
	case "AUTHORITY":
		return u.authority
	case "USERINFO":
		return u.userInfo
	case "FILE":
		dst = append(dst[:0], u.path...)
		if u.query != nil {
			dst = append(append(dst, '?'), u.query...)
		}
		return dst
	default:
		return nil
	}
}

// queryValue returns the value of a key in a query, nil without one.
func queryValue(query, key []byte) []byte {
	for pair := range bytes.SplitSeq(query, []byte("&")) {
		if rest, ok := bytes.CutPrefix(pair, key); ok && len(rest) > 0 && rest[0] == '=' {
			return rest[1:]
		}
	}
	return nil
}

// partOfURL serves PARSE_URL.
func partOfURL(k *call) func(i int) error {
	text, part := bytesOperand(&k.args[0]), bytesOperand(&k.args[1])
	return func(i int) error {
		var found []byte
		if u, ok := parseURL(text.at(i)); ok {
			name := string(part.at(i))
			found = u.part(name, k.text)
			if len(k.args) == 3 {
				if name != "QUERY" {
					found = nil
				}
				if found != nil {
					found = queryValue(found, k.args[2].Bytes(i))
				}
			}
		}
		if found == nil {
			k.builder.AppendNull()
		} else {
			k.builder.AppendBytes(found)
		}
		return nil
	}
}
