"""Skip work of later evaluations inside one sampling call, with what earlier ones computed."""
