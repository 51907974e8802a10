"""Tables, figures and pages made from rows. The only place in jitgym that imports matplotlib."""
