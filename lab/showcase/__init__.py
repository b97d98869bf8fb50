"""Pictures for people: `make demo`, the workflow files, their cards and the help pages."""
