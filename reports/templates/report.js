/* Optional: filter over the findings, sort over the rules. Nothing is lost without it. */
