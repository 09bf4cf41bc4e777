"""Whether a metric is back at its baseline of before an incident: pure, and it knows neither network nor clock."""
