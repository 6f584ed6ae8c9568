/** Messages of remote write 1.0 and 2.0, made by another library than ours. */
import protobuf from 'protobufjs'

const HISTOGRAM = `
  message Span { sint32 offset = 1; uint32 length = 2; }
  message Histogram {
    uint64 count_int = 1; double count_float = 2; double sum = 3; sint32 schema = 4; double zero_threshold = 5;
    uint64 zero_count_int = 6; repeated Span positive_spans = 11; repeated sint64 positive_deltas = 12;
    int64 timestamp = 15; repeated double custom_values = 16;
  }
  message Sample { double value = 1; int64 timestamp = 2; }`
export const Request1 = protobuf
  .parse(`syntax = "proto3"; ${HISTOGRAM}
    message Request { repeated TimeSeries timeseries = 1; }
    message Label { string name = 1; string value = 2; }
    message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Histogram histograms = 4; }`)
  .root.lookupType('Request')
export const Request2 = protobuf
  .parse(`syntax = "proto3"; ${HISTOGRAM}
    message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
    message TimeSeries {
      repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3;
      repeated Exemplar exemplars = 4; Metadata metadata = 5;
    }
    message Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
    message Metadata { int32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }`)
  .root.lookupType('Request')
