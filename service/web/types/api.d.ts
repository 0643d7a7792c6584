/** The API's JSON by the names that the pages use. `make typecheck-js` makes schema.d.ts from the OpenAPI document of the application. */
import type { components } from "../../../node_modules/.api/schema";

type Schemas = components["schemas"];

export type Audit = Schemas["AuditPage"];
export type ApiKey = Schemas["KeyOut"];
export type NewApiKey = Schemas["NewKey"];
export type User = Schemas["UserOut"];
export type UserChange = Schemas["UserChange"];

export type Study = Schemas["StudyDetail"];
export type StudySummary = Schemas["StudySummary"];
export type StudySearch = Schemas["StudySearch"];
export type Instance = Schemas["InstanceOut"];
export type Label = Schemas["LabelOut"];
export type Prior = Schemas["PriorList"]["priors"][number];
export type Timeline = Schemas["Timeline"];
export type TimelineEntry = Schemas["TimelineEntry"];

export type Hanging = Schemas["HangingOut"];
export type HungImage = Schemas["HungOut"];

export type Correction = Schemas["CorrectionOut"];
export type CorrectionDetail = Schemas["CorrectionDetail"];
export type CorrectionKind = Schemas["CorrectionKind"];
export type CorrectionState = Schemas["CorrectionState"];
export type Verdict = Schemas["Verdict"];
export type Hold = Schemas["HoldOut"];
export type Delivery = Schemas["DeliveryOut"];
export type DeliveryState = Schemas["DeliveryState"];
export type ObjectKind = Schemas["ObjectKind"];

export type Overview = Schemas["Overview"];
export type DestinationState = Overview["destinations"][number]["state"];
export type ReceivedImage = Schemas["ImageOut"];
export type Conflict = Schemas["ConflictOut"];
export type ReasonCount = Schemas["ReasonCount"];

export type Feedback = Schemas["FeedbackOut"];
export type FeedbackLabel = Schemas["FeedbackLabel"];
export type FeedbackVerdict = Schemas["FeedbackVerdict"];

export type Quality = Schemas["QualityOut"];
export type Rate = Schemas["RateOut"];
export type Drift = Schemas["Drift"];
export type Distribution = Schemas["SpreadOut"];
export type QualityGroup = Schemas["GroupOut"];
