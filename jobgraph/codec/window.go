package codec

import (
	"millrace/jobgraph"
	jobv1 "millrace/proto/millrace/job/v1"
)

var windowKinds = map[jobv1.WindowKind]jobgraph.WindowKind{
	jobv1.WindowKind_WINDOW_KIND_UNSPECIFIED: jobgraph.Tumbling,
	jobv1.WindowKind_WINDOW_KIND_HOPPING:     jobgraph.Hopping,
	jobv1.WindowKind_WINDOW_KIND_CUMULATING:  jobgraph.Cumulating,
	jobv1.WindowKind_WINDOW_KIND_SESSION:     jobgraph.Session,
	jobv1.WindowKind_WINDOW_KIND_ATTACHED:    jobgraph.Attached,
}

func (e *encoder) windowSpec(field string, w *jobgraph.WindowSpec) *jobv1.WindowSpec {
	out := &jobv1.WindowSpec{
		Size: duration(w.Size), Offset: duration(w.Offset), Slide: duration(w.Slide), Processing: w.Processing, Zone: w.Zone,
	}
	found := false
	for pb, kind := range windowKinds {
		if kind == w.Kind {
			out.Kind, found = pb, true
		}
	}
	if !found {
		e.addf(field+".kind", "unknown kind of window %d", int(w.Kind))
	}
	return out
}

func (d *decoder) windowSpec(field string, w *jobv1.WindowSpec) jobgraph.WindowSpec {
	kind, ok := windowKinds[w.GetKind()]
	if !ok {
		d.addf(field+".kind", "no kind of window has the number %d", w.GetKind())
	}
	return jobgraph.WindowSpec{
		Size: d.duration(field+".size", w.GetSize()), Offset: d.duration(field+".offset", w.GetOffset()),
		Kind: kind, Slide: d.duration(field+".slide", w.GetSlide()), Processing: w.GetProcessing(), Zone: w.GetZone(),
	}
}

func (e *encoder) assign(field string, s *jobgraph.WindowAssignSpec) *jobv1.WindowAssignSpec {
	return &jobv1.WindowAssignSpec{Time: e.int(field+".time", s.Time), Window: e.windowSpec(field+".window", &s.Window)}
}

func (d *decoder) assign(field string, s *jobv1.WindowAssignSpec) *jobgraph.WindowAssignSpec {
	return &jobgraph.WindowAssignSpec{Time: int(s.GetTime()), Window: d.windowSpec(field+".window", s.GetWindow())}
}
