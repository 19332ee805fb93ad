"""A reader's own model beside the report's: loading, contract, protocol, comparison."""
