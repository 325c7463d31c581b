// The JSON API of the console, as src/api writes it. Nanoseconds and 64-bit integers are decimal strings.

export type Status = "ok" | "error" | "fault" | "throttle" | "unset";
export type ValueType = "string" | "int" | "double" | "bool" | "bytes" | "array" | "map" | "empty";

export interface Value {
  type: ValueType;
  value: unknown;
}

export interface Attribute extends Value {
  key: string;
}

export interface Info {
  version: string;
  started_at: string;
  http: string;
  xray: string | null;
  traces: number;
  spans: number;
  bytes: number;
  max_bytes: number;
  evicted_traces: number;
  prices: Prices;
}

export interface Cost {
  read_units: number;
  write_units: number;
  invocations: number;
  lambda_ms: number;
  gb_seconds: number;
  gb_seconds_arm64: number;
  dollars_per_million: number;
}

export interface Prices {
  region: string;
  date: string;
  dollars_per_million: Record<"read_units" | "write_units" | "invocations" | "gb_seconds" | "gb_seconds_arm64", number>;
}

export interface NamedSpan {
  span: string;
  service: string;
  name: string;
  telling: string | null;
}

export interface Bill {
  total: Cost | null;
  lines: { unit: keyof Prices["dollars_per_million"]; amount: number; price: number; dollars_per_million: number }[];
  spans: (NamedSpan & { cost: Cost })[];
  unpriced: (NamedSpan & { missing: "capacity_units" | "memory" | "end" | "price" })[];
  not_counted: string[];
  prices: Prices;
}

export interface RouteCost {
  service: string | null;
  method: string | null;
  route: string | null;
  name: string | null;
  traces: number;
  priced: number;
  mean: Cost | null;
  max_dollars_per_million: number | null;
  share: number | null;
}

export interface RouteCosts {
  routes: RouteCost[];
  traces: number;
  priced: number;
  not_counted: string[];
  prices: Prices;
}

export interface Summary {
  id: string;
  xray_id: string;
  received_at: string;
  start: string;
  duration: string;
  root: { service: string; name: string; kind: string; span: string } | null;
  method: string | null;
  route: string | null;
  path: string | null;
  status_code: number | null;
  status: Status;
  error_spans: number;
  spans: number;
  services: string[];
  user: string | null;
  cold_start: boolean | null;
  cost: Cost | null;
  otlp_spans: number;
  xray_spans: number;
  logs: number;
  state: "complete" | "in_progress" | "root_missing" | "parents_missing";
  pinned: boolean;
}

export interface Traces {
  traces: Summary[];
  total: number;
  next: string | null;
  evicted: number;
}

export interface SpanEvent {
  time: string;
  name: string;
  attributes: Attribute[];
}

export interface Link {
  trace: string;
  span: string;
  attributes: Attribute[];
  known: boolean;
  direction: "out" | "in";
}

export interface Span {
  id: string;
  index: number;
  parent: number | null;
  depth: number;
  children: number[];
  placeholder: boolean;
  service: string;
  name: string;
  telling: string | null;
  kind: string;
  start: string;
  end: string;
  duration: string;
  self: string;
  critical: string;
  status: Status;
  status_message: string | null;
  resource: number | null;
  scope: number | null;
  attributes: Attribute[];
  trace_state: string;
  events: SpanEvent[];
  links: Link[];
  in: ("otlp" | "xray")[];
  marks: string[];
  skew: string | null;
  dropped_attributes: number;
  dropped_events: number;
  dropped_links: number;
}

export interface Log {
  time: string;
  severity: string;
  severity_number: number;
  body: string;
  body_value: Value | null;
  span: string | null;
  resource: number;
  attributes: Attribute[];
}

export interface NameRow {
  service: string;
  name: string;
  kind: string;
  count: number;
  total: string;
  self: string;
  critical: string;
  max: string;
  p95: string;
  errors: number;
}

export interface Mark {
  code: string;
  spans: number[];
}

export interface TraceData {
  summary: Summary;
  resources: { service: string; attributes: Attribute[] }[];
  scopes: { name: string; version: string }[];
  spans: Span[];
  logs: Log[];
  critical_path: { span: number; start: string; end: string }[];
  names: NameRow[];
  marks: Mark[];
}

export interface Refusal {
  code: string;
  path: string;
}

export interface Document {
  received_at: string;
  bytes: number;
  raw: string;
  id: string;
  parent_id: string | null;
  name: string;
  type: string;
  refused: Refusal[];
}

export interface MapNode {
  id: string;
  name: string;
  type: string;
  requests: number;
  average: string;
  ok: number;
  errors: number;
  faults: number;
  throttles: number;
  only_aws: boolean;
}

export interface MapEdge {
  from: string;
  to: string;
  requests: number;
  average: string;
  only_aws: boolean;
}

export interface Segment {
  depth: number;
  node: string | null;
  id: string | null;
  parent_id: string | null;
  name: string;
  type: string;
  origin: string | null;
  namespace: string | null;
  start: string;
  duration: string;
  in_progress: boolean;
  status: Status;
  http_status: number | null;
  only_aws: boolean;
  annotations?: Record<string, unknown> | null;
  metadata?: Record<string, unknown> | null;
  aws?: Record<string, unknown> | null;
  http?: Record<string, unknown> | null;
  sql?: Record<string, unknown> | null;
  cause?: Record<string, unknown> | string | null;
  links?: unknown[] | null;
}

export interface XrayData {
  documents: Document[];
  map: { nodes: MapNode[]; edges: MapEdge[] };
  timeline: Segment[];
}

export interface HoneycombData {
  events: { span: string; time: string; fields: Record<string, unknown> }[];
  sample_rate: number;
  left_out: { reason: string; rate: number | null } | null;
}

export interface SideRow {
  name: string;
  otlp: string | null;
  xray: string | null;
  xray_place: string | null;
  state: "both" | "otlp_only" | "xray_only" | "differs";
}

export interface SidesData {
  otlp: unknown;
  xray: unknown;
  rows: SideRow[];
}

export interface HealthData {
  senders: { service: string; signal: string; spans: number; last: string }[];
  refused: { code: string; count: number; last: string; detail: string; flag: string | null }[];
  declared_drops: { service: string; destination: string; reason: string; count: number }[];
}

export interface Problem {
  title: string;
  status: number;
  detail?: string;
  code?: string;
}

export interface Columns {
  start: string;
  step: string;
  count: number;
}

export interface Measures {
  count: number;
  errors: number;
  p50: string;
  p95: string;
  p99: string;
}

export interface Group extends Measures {
  value: string | null;
  max: string;
  series: (Measures & { column: number })[];
}

export interface GroupsData {
  events: number;
  columns: Columns;
  total: Group;
  groups_total: number;
  groups: Group[];
}

export interface HeatMapData {
  events: number;
  count: number;
  columns: Columns;
  rows: { low: string; high: string | null }[];
  cells: { column: number; row: number; count: number; errors: number; lit: number }[];
}

export type Operator = "=" | "absent" | ">" | "<";

export interface RankedValue {
  operator: Operator;
  value: string | null;
  selected: number;
  rest: number;
  selected_events: number;
  rest_events: number;
  score: number;
  typical_of: "selection" | "rest";
}

export interface RankedField {
  key: string;
  score: number;
  distinct: number;
  values: RankedValue[];
  also: { key: string; operator: Operator; value: string | null }[];
}

export interface Example {
  trace: string;
  span: string;
  service: string;
  name: string;
  start: string;
  duration: string;
  failed: boolean;
  user: string | null;
}

export interface ExplanationData {
  selected: number;
  rest: number;
  fields: RankedField[];
  examples: Example[];
  typical: Example | null;
}

export interface ComparedPart {
  count: number;
  errors: number;
  total: string;
  self: string;
  critical: string;
  spans: { id: string | null; offset: string; duration: string; critical: string }[];
}

export interface ComparedRow {
  parent: number | null;
  depth: number;
  service: string;
  name: string;
  kind: string;
  telling: string | null;
  a: ComparedPart;
  b: ComparedPart;
  count_difference: number;
  total_difference: string;
  self_difference: string;
  critical_difference: string;
}

export interface ComparisonData {
  a: { summary: Summary; start: string; duration: string };
  b: { summary: Summary; start: string; duration: string };
  difference: string;
  rows: ComparedRow[];
}
