"""One login as a straight line: request, outcome, factors, policy, flow. Pure; knows neither RADIUS nor EAP."""
