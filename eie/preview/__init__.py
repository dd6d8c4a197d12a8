"""Pictures about an element set rather than of it: borders and ids, rulers, cut-out selections."""
