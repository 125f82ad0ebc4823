package codec

import (
	"millrace/jobgraph"
	jobv1 "millrace/proto/millrace/job/v1"
)

func (d *decoder) intervalJoin(field string, j *jobv1.IntervalJoinSpec) *jobgraph.IntervalJoinSpec {
	return &jobgraph.IntervalJoinSpec{
		Type: d.joinType(field+".type", j.GetType()), Keys: d.joinKeys(j.GetKeys()), LeftTime: int(j.GetLeftTime()), RightTime: int(j.GetRightTime()),
		Lower: d.duration(field+".lower", j.GetLower()), Upper: d.duration(field+".upper", j.GetUpper()),
		Condition: d.condition(field+".condition", j.GetCondition()),
	}
}

func (d *decoder) windowJoin(field string, j *jobv1.WindowJoinSpec) *jobgraph.WindowJoinSpec {
	return &jobgraph.WindowJoinSpec{
		Type: d.joinType(field+".type", j.GetType()), Keys: d.joinKeys(j.GetKeys()), LeftEnd: int(j.GetLeftEnd()), RightEnd: int(j.GetRightEnd()),
		Condition: d.condition(field+".condition", j.GetCondition()),
	}
}

func (d *decoder) temporalJoin(field string, j *jobv1.TemporalJoinSpec) *jobgraph.TemporalJoinSpec {
	return &jobgraph.TemporalJoinSpec{
		Type: d.joinType(field+".type", j.GetType()), Keys: d.joinKeys(j.GetKeys()), ProcessingTime: j.GetProcessingTime(),
		LeftTime: int(j.GetLeftTime()), RightTime: int(j.GetRightTime()), Left: d.changelog(field+".left", j.GetLeft()),
		Condition: d.condition(field+".condition", j.GetCondition()),
	}
}

func (e *encoder) intervalJoin(field string, j *jobgraph.IntervalJoinSpec) *jobv1.IntervalJoinSpec {
	return &jobv1.IntervalJoinSpec{
		Type: e.joinType(field+".type", j.Type), Keys: e.joinKeys(field+".keys", &j.Keys),
		LeftTime: e.int(field+".left_time", j.LeftTime), RightTime: e.int(field+".right_time", j.RightTime),
		Lower: duration(j.Lower), Upper: duration(j.Upper), Condition: e.condition(field+".condition", j.Condition),
	}
}

func (e *encoder) windowJoin(field string, j *jobgraph.WindowJoinSpec) *jobv1.WindowJoinSpec {
	return &jobv1.WindowJoinSpec{
		Type: e.joinType(field+".type", j.Type), Keys: e.joinKeys(field+".keys", &j.Keys),
		LeftEnd: e.int(field+".left_end", j.LeftEnd), RightEnd: e.int(field+".right_end", j.RightEnd), Condition: e.condition(field+".condition", j.Condition),
	}
}

func (e *encoder) temporalJoin(field string, j *jobgraph.TemporalJoinSpec) *jobv1.TemporalJoinSpec {
	return &jobv1.TemporalJoinSpec{
		Type: e.joinType(field+".type", j.Type), Keys: e.joinKeys(field+".keys", &j.Keys), ProcessingTime: j.ProcessingTime,
		LeftTime: e.int(field+".left_time", j.LeftTime), RightTime: e.int(field+".right_time", j.RightTime), Left: e.changelog(field+".left", j.Left),
		Condition: e.condition(field+".condition", j.Condition),
	}
}

func (d *decoder) lookupJoin(field string, j *jobv1.LookupJoinSpec) *jobgraph.LookupJoinSpec {
	t := j.GetTable()
	return &jobgraph.LookupJoinSpec{
		Type: d.joinType(field+".type", j.GetType()), Keys: d.joinKeys(j.GetKeys()), Condition: d.condition(field+".condition", j.GetCondition()),
		Table: jobgraph.LookupTable{
			Connector: t.GetConnector(), Options: copyTexts(t.GetOptions()), Schema: d.schema(field+".table.schema", t.GetSchema()),
		},
	}
}

func (e *encoder) lookupJoin(field string, j *jobgraph.LookupJoinSpec) *jobv1.LookupJoinSpec {
	return &jobv1.LookupJoinSpec{
		Type: e.joinType(field+".type", j.Type), Keys: e.joinKeys(field+".keys", &j.Keys), Condition: e.condition(field+".condition", j.Condition),
		Table: &jobv1.LookupTable{
			Connector: j.Table.Connector, Options: copyTexts(j.Table.Options), Schema: e.schema(field+".table.schema", j.Table.Schema),
		},
	}
}
