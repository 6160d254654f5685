"""Systems: the contract, cards, loading, consent, sandbox, conformance tests and the scaffold."""
