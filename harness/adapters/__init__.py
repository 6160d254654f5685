"""Systems: the contract, cards, loading, consent, sandbox and conformance tests."""
