# pint --offline --config alerting/pint.hcl lint --min-severity=info --fail-on=info alerting/rules

# It always fires: that is what it is for.
rule {
  match {
    name = "Watchdog"
  }
  disable = ["alerts/comparison"]
}

# Sums over 30 days in a group of their own, evaluated less often: a minute more or less is nothing.
rule {
  match {
    name = "model:.+:(ratio_rate30d|slow_ratio_rate30d|budget_remaining_ratio)"
  }
  disable = ["rule/dependency"]
}
