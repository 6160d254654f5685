"""What stands behind the public package ``xdr_bench``: the steps of the command line as functions of what is at hand."""
