package exactlyonce

import "millrace/types"

type vertexID = types.VertexID

func sinkUID(topic string) types.OperatorUID { return types.OperatorUID(topic + "-sink") }
