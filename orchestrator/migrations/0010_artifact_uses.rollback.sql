drop table artifact_uses;
