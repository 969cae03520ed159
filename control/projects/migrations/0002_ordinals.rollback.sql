drop sequence deployment_ordinals;
