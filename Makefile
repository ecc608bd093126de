# The two commands of the README. Each does all the set-up a fresh machine needs (Node 20 or newer, npm, make, git), then its job.
.PHONY: demo test

# npm writes this file when it has installed what the lock file says. It brings Node 24 along, which npx and npm
# scripts find before the machine's own.
INSTALLED = node_modules/.package-lock.json

demo: $(INSTALLED)
	@npx apnsd demo $(ARGS)

test: $(INSTALLED)
	@test/support/install-system-parts
	@npm run --silent check
	@npm test --silent

$(INSTALLED): package.json package-lock.json $(wildcard packages/*/package.json)
	@npm ci --loglevel=error
	@touch $@
